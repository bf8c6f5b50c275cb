//! Where a database is: `postgres://user@host:port/dbname?sslmode=…`.

/// A server and the account that the proxy uses there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamUrl {
    pub user: String,
    pub host: String,
    pub port: u16,
    pub database: UpstreamDatabase,
    pub ssl: SslMode,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamDatabase {
    Named(String),
    /// `*`: the name the client asked for.
    AsRequested,
}

/// What libpq calls `sslmode`, as far as it is supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    Disable,
    Prefer,
    Require,
}

const PORT_DEFAULT: u16 = 5432;

impl UpstreamUrl {
    /// # Errors
    /// What is wrong with the URL, without repeating it: it may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        const SHAPE: &str = "a URL is postgres://user@host:port/dbname";
        let rest = text
            .strip_prefix("postgres://")
            .or_else(|| text.strip_prefix("postgresql://"))
            .ok_or(SHAPE)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').ok_or(SHAPE)?;
        let (user, server) = authority.rsplit_once('@').ok_or("the URL names no user")?;
        if user.contains(':') {
            return Err("a password does not belong into the URL: use password_env or \
                        password_file"
                .to_owned());
        }
        let (host, port) = server_of(server)?;
        let user = decode(user)?;
        let database = match database {
            "" => return Err("the URL names no database".to_owned()),
            "*" => UpstreamDatabase::AsRequested,
            name if name.contains('/') => return Err(SHAPE.to_owned()),
            name => UpstreamDatabase::Named(decode(name)?),
        };
        if user.is_empty() || host.is_empty() {
            return Err(SHAPE.to_owned());
        }
        Ok(Self { user, host, port, database, ssl: ssl_of(query)? })
    }
}

fn server_of(text: &str) -> Result<(String, u16), String> {
    let (host, port) = if let Some(bracketed) = text.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']').ok_or("a bracket is not closed")?;
        (host.to_owned(), rest.strip_prefix(':'))
    } else {
        match text.split_once(':') {
            Some((host, port)) => (decode(host)?, Some(port)),
            None => (decode(text)?, None),
        }
    };
    if host.starts_with('/') {
        return Err("Unix sockets upstream are not supported yet".to_owned());
    }
    let port = match port {
        Some(port) => port.parse().map_err(|_| "the port is not a number below 65536")?,
        None => PORT_DEFAULT,
    };
    Ok((host, port))
}

fn ssl_of(query: &str) -> Result<SslMode, String> {
    let mut mode = SslMode::Prefer;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        mode = match pair.split_once('=').unwrap_or((pair, "")) {
            ("sslmode", "disable") => SslMode::Disable,
            ("sslmode", "prefer") => SslMode::Prefer,
            ("sslmode", "require") => SslMode::Require,
            ("sslmode", other) => {
                return Err(format!(
                    "sslmode \"{other}\" is not supported yet (disable, prefer, require)"
                ));
            }
            (name, _) => return Err(format!("parameter \"{name}\" is unknown (known: sslmode)")),
        };
    }
    Ok(mode)
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Result<String, String> {
    const SHAPE: &str = "a percent sign is not followed by two hexadecimal digits of UTF-8";
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2).ok_or(SHAPE)?;
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let (high, low) = digit(digits[0]).zip(digit(digits[1])).ok_or(SHAPE)?;
        bytes.push(high << 4 | low);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| SHAPE.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_user_server_and_database() {
        let url = UpstreamUrl::parse("postgres://app@db.example:6000/shop?sslmode=require");
        let url = url.expect("a good URL");
        assert_eq!((url.user.as_str(), url.host.as_str(), url.port), ("app", "db.example", 6000));
        assert_eq!(url.database, UpstreamDatabase::Named("shop".to_owned()));
        assert_eq!(url.ssl, SslMode::Require);
        let url = UpstreamUrl::parse("postgresql://a%40b@[::1]/*").expect("a good URL");
        assert_eq!((url.user.as_str(), url.host.as_str(), url.port), ("a@b", "::1", 5432));
        assert_eq!(url.database, UpstreamDatabase::AsRequested);
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        let error = UpstreamUrl::parse("postgres://app:hunter2@db/shop").expect_err("a password");
        assert!(error.contains("password_env") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "mysql://app@db/shop",
            "postgres://db/shop",
            "postgres://app@db",
            "postgres://app@db/",
            "postgres://app@db:port/shop",
            "postgres://app@db/shop?sslmode=verify-full",
            "postgres://app@db/shop?target=any",
            "postgres://app@%2Fvar%2Frun/shop",
            "postgres://a%zz@db/shop",
            "postgres://a%+1@db/shop",
            "postgres://a%4@db/shop",
        ] {
            assert!(UpstreamUrl::parse(text).is_err(), "{text}");
        }
    }
}
