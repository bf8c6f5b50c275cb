//! Runs one path so many times, for callgrind to count: `make instructions` reads the counts.
//!
//! Without arguments, prints the names of the paths.
#![expect(clippy::print_stdout, reason = "it tells its names")]

#[path = "../tests/session/messages.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "shared with the tests of sessions")]
mod messages;
#[path = "paths.rs"]
mod paths;
#[path = "people.rs"]
mod people;
#[path = "../tests/support/small_shop.rs"]
mod small_shop;

use std::hint::black_box;

use paths::{PATHS, Path};

/// Until caches know the texts and buffers have grown.
const WARM_UP: u32 = 8;

/// The one function in which instructions are counted.
#[inline(never)]
fn counted(path: &mut dyn Path) {
    path.run();
    // A call, not a jump: callgrind sees where it returns.
    black_box(());
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        PATHS.iter().for_each(|(name, _)| println!("{name}"));
        return;
    };
    let times = arguments.next().and_then(|times| times.parse::<u32>().ok()).expect("a number");
    let (_, make) = PATHS.iter().find(|(known, _)| *known == name).expect("a path's name");
    let mut path = make();
    for _ in 0..WARM_UP {
        path.prepare();
        path.run();
    }
    for _ in 0..times {
        path.prepare();
        counted(&mut *path);
    }
}
