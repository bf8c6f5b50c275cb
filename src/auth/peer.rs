//! Who is at the other end of a Unix socket, as the operating system says.

use nix::unistd::{Uid, User};

/// The user's name; None if the system has none for that number. The system may ask a directory
/// for it, so it is asked on a thread that may wait.
pub(super) async fn os_user(uid: u32) -> Option<String> {
    let asking = tokio::task::spawn_blocking(move || User::from_uid(Uid::from_raw(uid)));
    match asking.await {
        Ok(Ok(found)) => found.map(|user| user.name),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the system cannot say who a user is");
            None
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_system_knows_its_users_by_number() {
        assert_eq!(os_user(0).await.as_deref(), Some("root"));
        assert_eq!(os_user(u32::MAX - 7).await, None);
    }
}
