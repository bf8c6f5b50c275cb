//! The event triggers that tell of DDL past the proxy, at once: what they are, how they get into a
//! database and out of it, and how one listens.
//!
//! They send NOTIFY without a payload, so a listener hears of a change when it is committed and
//! never of one that is not. They must not stand in the way of any DDL: errors are swallowed.

use tokio_postgres::Client;

/// What the triggers notify.
pub const CHANNEL: &str = "keyhole_ddl";

/// Puts both triggers in place, or puts them right. A superuser's to run, in one transaction.
///
/// Nothing that somebody else may have put there before is taken over: the function would run with
/// the rights of whoever does DDL. Temporary objects belong to one session and say nothing: a session that makes many would keep
/// the proxy reading. `ENABLE ALWAYS`: DDL under `session_replication_role = replica` counts too.
pub const INSTALL: &str = r"
CREATE SCHEMA IF NOT EXISTS keyhole_internal;
ALTER SCHEMA keyhole_internal OWNER TO CURRENT_USER;
REVOKE ALL ON SCHEMA keyhole_internal FROM PUBLIC;
COMMENT ON SCHEMA keyhole_internal IS 'Keyhole: tells the proxy of DDL (keyhole install-trigger)';
DROP FUNCTION IF EXISTS keyhole_internal.notify_ddl() CASCADE;
CREATE FUNCTION keyhole_internal.notify_ddl() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  permanent boolean;
BEGIN
  -- A transaction that is to be prepared cannot notify: it says so first.
  IF pg_catalog.current_setting('keyhole.notify', true) = 'off' THEN
    RETURN;
  END IF;
  IF TG_EVENT = 'sql_drop' THEN
    permanent := EXISTS (
      SELECT FROM pg_catalog.pg_event_trigger_dropped_objects() WHERE NOT is_temporary);
  ELSE
    SELECT coalesce(bool_or(schema_name IS DISTINCT FROM 'pg_temp'), TG_TAG NOT LIKE 'DROP %')
      INTO permanent FROM pg_catalog.pg_event_trigger_ddl_commands();
  END IF;
  IF permanent THEN
    PERFORM pg_catalog.pg_notify('keyhole_ddl', '');
  END IF;
EXCEPTION WHEN OTHERS THEN
  -- The proxy polls as well. DDL must not fail because of it.
  RETURN;
END $$;
DROP EVENT TRIGGER IF EXISTS keyhole_ddl;
CREATE EVENT TRIGGER keyhole_ddl ON ddl_command_end
  EXECUTE FUNCTION keyhole_internal.notify_ddl();
ALTER EVENT TRIGGER keyhole_ddl ENABLE ALWAYS;
DROP EVENT TRIGGER IF EXISTS keyhole_drop;
CREATE EVENT TRIGGER keyhole_drop ON sql_drop
  EXECUTE FUNCTION keyhole_internal.notify_ddl();
ALTER EVENT TRIGGER keyhole_drop ENABLE ALWAYS;
NOTIFY keyhole_ddl;
";

/// Takes them out again, and says so to who listens.
pub const REMOVE: &str = r"
DROP EVENT TRIGGER IF EXISTS keyhole_ddl;
DROP EVENT TRIGGER IF EXISTS keyhole_drop;
DROP FUNCTION IF EXISTS keyhole_internal.notify_ddl();
DROP SCHEMA IF EXISTS keyhole_internal;
NOTIFY keyhole_ddl;
";

const FIND: &str = r"
SELECT pg_catalog.count(*) OPERATOR(pg_catalog.=) 2 FROM pg_catalog.pg_event_trigger
WHERE evtname OPERATOR(pg_catalog.=) ANY ('{keyhole_ddl,keyhole_drop}'::pg_catalog.name[])
  AND evtenabled OPERATOR(pg_catalog.<>) 'D'";

/// Whether a database tells of its DDL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    Absent,
    Installed,
}

/// Subscribes the client's connection to the triggers' channel, installed or not: they may be
/// installed later. A server that has no notifications (a standby) is left at that.
///
/// # Errors
/// When the connection fails.
pub async fn listen(client: &Client) -> Result<(), tokio_postgres::Error> {
    match client.batch_execute(&format!("LISTEN {CHANNEL}")).await {
        Err(error) if error.as_db_error().is_none() || client.is_closed() => Err(error),
        Err(error) => {
            tracing::debug!(%error, "the server takes no listeners");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Whether both triggers are there and fire.
///
/// # Errors
/// When the connection or the query fails.
pub async fn find(client: &Client) -> Result<Trigger, tokio_postgres::Error> {
    let there: bool = client.query_one(FIND, &[]).await?.try_get(0)?;
    Ok(if there { Trigger::Installed } else { Trigger::Absent })
}
