-- Objects that the columns under test need.
CREATE EXTENSION citext;
-- Its values cannot be searched (strpos and the like fail); without ICU there is no such collation.
DO $do$ BEGIN
  CREATE COLLATION nowhere (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
EXCEPTION WHEN feature_not_supported THEN
  CREATE COLLATION nowhere (provider = libc, locale = 'C');
END $do$;
CREATE DOMAIN short_text AS varchar(7);
CREATE DOMAIN birthday AS date CHECK (VALUE IS NOT NULL OR VALUE IS NULL);
CREATE TYPE person AS (id integer, email text);
CREATE TYPE mood AS ENUM ('sad', 'glad');

-- A schema that shadows whatever a mask might use: functions and operators that fail, tables
-- named like types.
CREATE SCHEMA evil;

DO $do$
DECLARE f record;
BEGIN
  FOR f IN
    SELECT proname, pg_get_function_identity_arguments(oid) AS args, prorettype::regtype AS result
    FROM pg_proc
    WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f'
      AND proname IN ('length', 'left', 'right', 'repeat', 'split_part', 'timezone', 'date_trunc',
        'extract', 'isfinite', 'mod', 'floor', 'family', 'masklen', 'set_masklen', 'network')
  LOOP
    EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s LANGUAGE plpgsql IMMUTABLE AS '
      '$f$ BEGIN RAISE ''shadowed''; END $f$', f.proname, f.args, f.result);
  END LOOP;
  FOR f IN
    SELECT oprname, oprleft::regtype AS l, oprright::regtype AS r, oprresult::regtype AS result,
      'op' || oid AS name
    FROM pg_operator
    WHERE oprnamespace = 'pg_catalog'::regnamespace
      AND oprname IN ('||', '+', '-', '*', '/', '<', '<=', '>', '>=', '=')
      AND oprleft IN ('int4'::regtype, 'int8'::regtype, 'numeric'::regtype, 'float8'::regtype,
        'text'::regtype, 'date'::regtype, 'timestamp'::regtype)
      AND oprleft <> 0 AND oprright <> 0
      AND oprright NOT IN ('anycompatiblearray'::regtype, 'anynonarray'::regtype)
  LOOP
    EXECUTE format('CREATE FUNCTION evil.%s(%s, %s) RETURNS %s LANGUAGE plpgsql IMMUTABLE AS '
      '$f$ BEGIN RAISE ''shadowed''; END $f$', f.name, f.l, f.r, f.result);
    EXECUTE format('CREATE OPERATOR evil.%s (FUNCTION = evil.%s, LEFTARG = %s, RIGHTARG = %s)',
      f.oprname, f.name, f.l, f.r);
  END LOOP;
  FOR f IN
    SELECT unnest(ARRAY['text', 'name', 'bpchar', 'citext', 'inet', 'cidr', 'date', 'timestamp',
      'timestamptz', 'interval', 'numeric', 'int4', 'int8', 'float8', 'uuid', 'json', 'jsonb',
      'bytea', 'macaddr', 'money', 'point', 'int4range', 'char', 'person', 'mood']) AS name
  LOOP
    EXECUTE format('CREATE TABLE evil.%I ()', f.name);
  END LOOP;
END $do$;
