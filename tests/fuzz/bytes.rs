//! Mutants of bytes: what a broken or hostile peer makes of a good message.

use super::choices::Choices;

/// Numbers at which length words and counts break.
const EDGES: [u32; 12] =
    [0, 1, 3, 4, 5, 0x7f, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];

/// Changes `bytes` in up to four places; `other` lends material.
pub(crate) fn mutate(bytes: &mut Vec<u8>, other: &[u8], choices: &mut Choices<'_>) {
    for _ in 0..=choices.below(4) {
        once(bytes, other, choices);
    }
}

fn once(bytes: &mut Vec<u8>, other: &[u8], choices: &mut Choices<'_>) {
    let len = bytes.len();
    let at = choices.below(len + 1);
    match choices.below(9) {
        0 if len > 0 => bytes[at % len] ^= 1 << choices.below(8),
        1 if len > 0 => bytes[at % len] = choices.byte(),
        2 if len >= 4 => {
            let edge = EDGES[choices.below(EDGES.len())].to_be_bytes();
            let at = at.min(len - 4);
            bytes[at..at + 4].copy_from_slice(&edge);
        }
        3 if len >= 2 => {
            let edge = (EDGES[choices.below(EDGES.len())] as u16).to_be_bytes();
            let at = at.min(len - 2);
            bytes[at..at + 2].copy_from_slice(&edge);
        }
        4 => bytes.truncate(at),
        5 => {
            let noise = choices.noise(9);
            bytes.splice(at..at, noise);
        }
        6 if len > 0 => {
            let end = (at + 1 + choices.below(8)).min(len);
            bytes.drain(at.min(end)..end);
        }
        7 if len > 0 => {
            let end = (at + 1 + choices.below(32)).min(len);
            let again = bytes[at.min(end)..end].to_vec();
            bytes.splice(at..at, again);
        }
        _ if !other.is_empty() => {
            let from = choices.below(other.len());
            let to = (from + 1 + choices.below(32)).min(other.len());
            bytes.splice(at..at, other[from..to].iter().copied());
        }
        _ => bytes.push(choices.byte()),
    }
}
