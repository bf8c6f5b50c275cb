//! The PROXY protocol, version 2: the header in which a load balancer says whom it speaks for.
//!
//! Only whom the configuration trusts is believed, and of those every connection has to begin with
//! a header. Version 1, a line of text, is refused: it has no length to cut it by.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family and transport, length of the rest.
const FIXED_LEN: usize = 16;

/// The longest rest that is taken: addresses, and what else the balancer tells (certificates, say).
const REST_LEN_MAX: usize = 4096;

/// The type of the field that holds a checksum of the whole header.
const TLV_CRC32C: u8 = 0x03;

/// Whom the balancer speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Itself, as in a health check.
    Balancer,
    Client(SocketAddr),
}

/// Why a header is none that can be believed.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    #[error("connection closed")]
    Closed,
    #[error("connection lost: {0}")]
    Io(#[from] io::Error),
    #[error("no header of the PROXY protocol's version 2")]
    Signature,
    #[error("version 1 of the PROXY protocol is not supported")]
    Version1,
    #[error("unknown version or command 0x{0:02x}")]
    Command(u8),
    #[error("the header is longer than {REST_LEN_MAX} bytes")]
    Length,
    #[error("the client's address is not told, or not one of TCP (family 0x{0:02x})")]
    Family(u8),
    #[error("the header ends within a field")]
    Truncated,
    #[error("the checksum is wrong")]
    Checksum,
}

/// Reads the header and not a byte more. Waits as long as it takes: the caller sets the limit.
///
/// # Errors
/// `Closed` if nothing came at all.
pub async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> Result<Source, HeaderError> {
    let mut header = Vec::with_capacity(FIXED_LEN + 36);
    loop {
        let missing = missing(&header)?;
        if missing == 0 {
            return read(&header);
        }
        let mut room = [0; 256];
        let len = missing.min(room.len());
        match stream.read(&mut room[..len]).await? {
            0 if header.is_empty() => return Err(HeaderError::Closed),
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            count => header.extend_from_slice(&room[..count]),
        }
    }
}

/// How many bytes have to follow `begin` at least, as part of the header; none if it is whole. What
/// cannot become a header is refused at its first wrong byte, as who sent it waits for an answer.
fn missing(begin: &[u8]) -> Result<usize, HeaderError> {
    let len = begin.len().min(SIGNATURE.len());
    if begin[..len] != SIGNATURE[..len] {
        let version_1 = begin.starts_with(b"PROXY") || b"PROXY".starts_with(begin);
        return Err(if version_1 { HeaderError::Version1 } else { HeaderError::Signature });
    }
    let Some(fixed) = begin.first_chunk::<FIXED_LEN>() else {
        return Ok(FIXED_LEN - begin.len());
    };
    let rest = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if rest > REST_LEN_MAX {
        return Err(HeaderError::Length);
    }
    Ok((FIXED_LEN + rest).saturating_sub(begin.len()))
}

/// What a whole header says.
fn read(header: &[u8]) -> Result<Source, HeaderError> {
    let (fixed, rest) = header.split_first_chunk::<FIXED_LEN>().ok_or(HeaderError::Truncated)?;
    let (command, family) = (fixed[12], fixed[13]);
    let (source, fields) = match (command, family) {
        // Whatever addresses it has mean nothing.
        (0x20, _) => return Ok(Source::Balancer),
        (0x21, 0x11) => {
            let (addresses, fields) = split::<12>(rest)?;
            let [a, b, c, d, _, _, _, _, high, low, _, _] = *addresses;
            (address(Ipv4Addr::new(a, b, c, d).into(), [high, low]), fields)
        }
        (0x21, 0x21) => {
            let (addresses, fields) = split::<36>(rest)?;
            let (ip, others) = addresses.split_first_chunk::<16>().ok_or(HeaderError::Truncated)?;
            (address(Ipv6Addr::from(*ip).to_canonical(), [others[16], others[17]]), fields)
        }
        (0x21, family) => return Err(HeaderError::Family(family)),
        (command, _) => return Err(HeaderError::Command(command)),
    };
    check_fields(header, fields)?;
    Ok(Source::Client(source))
}

fn split<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), HeaderError> {
    bytes.split_first_chunk().ok_or(HeaderError::Truncated)
}

fn address(ip: IpAddr, port: [u8; 2]) -> SocketAddr {
    SocketAddr::new(ip, u16::from_be_bytes(port))
}

/// Every field has to fit; the checksum, if there is one, has to be right. The others are ignored.
fn check_fields(header: &[u8], mut fields: &[u8]) -> Result<(), HeaderError> {
    while let Some((kind, rest)) = fields.split_first() {
        let (len, rest) = split::<2>(rest)?;
        let len = usize::from(u16::from_be_bytes(*len));
        let (value, behind) = rest.split_at_checked(len).ok_or(HeaderError::Truncated)?;
        if *kind == TLV_CRC32C {
            let told: [u8; 4] = value.try_into().map_err(|_| HeaderError::Truncated)?;
            let at = header.len() - rest.len();
            let with_zeros = [&header[..at], &[0; 4], &header[at + 4..]];
            if crc32c(with_zeros.into_iter().flatten()) != u32::from_be_bytes(told) {
                return Err(HeaderError::Checksum);
            }
        }
        fields = behind;
    }
    Ok(())
}

/// Castagnoli's checksum, bit by bit: it is computed once for a connection.
fn crc32c<'a>(bytes: impl Iterator<Item = &'a u8>) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    !bytes.fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let len = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &len, rest].concat()
    }

    const V4: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0x30, 0x39, 0x19, 0x20];

    fn v6(ip: &str) -> Vec<u8> {
        let ip: Ipv6Addr = ip.parse().unwrap();
        [&ip.octets()[..], &[0; 16], &[0x30, 0x39, 0x19, 0x20]].concat()
    }

    async fn of(bytes: &[u8]) -> Result<(Source, usize), HeaderError> {
        let mut stream = bytes;
        let source = receive(&mut stream).await?;
        Ok((source, stream.len()))
    }

    fn client(address: &str) -> Source {
        Source::Client(address.parse().unwrap())
    }

    #[tokio::test]
    async fn a_header_says_who_connects_and_what_follows_is_left() {
        let tlv = [0x04, 0, 3, 1, 2, 3];
        for (bytes, source) in [
            (header(0x21, 0x11, &V4), client("192.0.2.7:12345")),
            (header(0x21, 0x11, &[&V4[..], &tlv].concat()), client("192.0.2.7:12345")),
            (header(0x21, 0x21, &v6("2001:db8::7")), client("[2001:db8::7]:12345")),
            (header(0x21, 0x21, &v6("::ffff:192.0.2.7")), client("192.0.2.7:12345")),
            (header(0x20, 0x00, &[]), Source::Balancer),
            (header(0x20, 0x11, &V4), Source::Balancer),
            (header(0x20, 0x00, &[9; 4096]), Source::Balancer),
        ] {
            let with_more = [&bytes[..], b"\0\0\0\x08\x04\xd2\x16\x2f"].concat();
            assert_eq!(of(&with_more).await.unwrap(), (source, 8), "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let mut wrong_version = header(0x21, 0x11, &V4);
        wrong_version[12] = 0x11;
        let mut long = header(0x21, 0x11, &V4);
        long[14] = 0xff;
        for (bytes, expected) in [
            (b"".to_vec(), "connection closed"),
            (header(0x21, 0x11, &V4)[..20].to_vec(), "connection lost: unexpected end of file"),
            (b"\0\0\0\x08\x04\xd2\x16\x2f".to_vec(), "no header of"),
            (b"\x16\x03\x01".to_vec(), "no header of"),
            (b"\r\n\r\n\0\r\nQUID\n".to_vec(), "no header of"),
            (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n".to_vec(), "version 1"),
            (wrong_version, "unknown version or command 0x11"),
            (header(0x22, 0x11, &V4), "unknown version or command 0x22"),
            (long, "longer than 4096"),
            (header(0x21, 0x00, &[]), "(family 0x00)"),
            (header(0x21, 0x12, &V4), "(family 0x12)"),
            (header(0x21, 0x31, &[0; 216]), "(family 0x31)"),
            (header(0x21, 0x11, &V4[..11]), "ends within"),
            (header(0x21, 0x21, &V4), "ends within"),
            (header(0x21, 0x11, &[&V4[..], &[4, 0]].concat()), "ends within"),
            (header(0x21, 0x11, &[&V4[..], &[4, 0, 2, 1]].concat()), "ends within"),
            (header(0x21, 0x11, &[&V4[..], &[3, 0, 2, 1, 1]].concat()), "ends within"),
        ] {
            let error = of(&bytes).await.unwrap_err().to_string();
            assert!(error.contains(expected), "{bytes:?}: {error}");
        }
    }

    #[test]
    fn a_wrong_first_byte_is_not_waited_behind() {
        assert!(matches!(missing(b"\0"), Err(HeaderError::Signature)));
        assert!(matches!(missing(b"\r\n\r\n\0\rX"), Err(HeaderError::Signature)));
        assert_eq!(missing(b"\r\n").unwrap(), 14);
    }

    #[tokio::test]
    async fn a_checksum_is_checked() {
        assert_eq!(crc32c(b"123456789".iter()), 0xe306_9283, "the usual check value");
        let zeros = header(0x21, 0x11, &[&V4[..], &[3, 0, 4, 0, 0, 0, 0, 4, 0, 1, 9]].concat());
        let sum = crc32c(zeros.iter()).to_be_bytes();
        let mut good = zeros;
        good[31..35].copy_from_slice(&sum);
        assert_eq!(of(&good).await.unwrap().0, client("192.0.2.7:12345"));
        for at in [16, 24, 31, 38] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(matches!(of(&bad).await, Err(HeaderError::Checksum)), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(begin in 0_usize..=16, rest in vec(any::<u8>(), 0..600)) {
            let mut bytes = header(0x21, 0x11, &V4)[..begin].to_vec();
            bytes.extend(rest);
            let _ = missing(&bytes).and_then(|_| read(&bytes));
        }

        #[test]
        fn fields_of_any_kind_do_not_panic(
            family in prop::sample::select(vec![0x11, 0x21]),
            rest in vec(any::<u8>(), 0..200),
        ) {
            let bytes = header(0x21, family, &rest);
            prop_assert_eq!(missing(&bytes).unwrap(), 0);
            let _ = read(&bytes);
        }
    }
}
