//! The limit of open files, which is that of clients.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises this process's soft limit to its hard one, which needs no privileges. Gives the limit before and after
/// where that changed something, and leaves it as it is where the system refuses.
pub fn raise() -> Option<(u64, u64)> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    if limit.current == limit.maximum || setrlimit(Resource::Nofile, raised).is_err() {
        return None;
    }
    Some((limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_raised_once() {
        raise();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
        assert_eq!(raise(), None);
    }
}
