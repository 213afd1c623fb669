//! The files in which a Linux host tells about itself.

use std::{
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

/// A host's file system, or in tests a folder that looks like one.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
}

impl Default for Host {
    /// The host that this process runs on.
    fn default() -> Self {
        Self::at("/")
    }
}

impl Host {
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A file's text without the white space around it. None where it cannot be read.
    pub fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path(path)).ok().map(|text| text.trim().to_owned())
    }

    /// A file that holds nothing but a number.
    pub fn number<T: FromStr>(&self, path: &str) -> Option<T> {
        self.text(path)?.parse().ok()
    }

    /// The names in a folder, sorted; none where there is no such folder.
    pub fn names(&self, path: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(path)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    pub fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    pub(crate) fn write(&self, path: &Path, value: &str) -> io::Result<()> {
        fs::write(self.path(&path.to_string_lossy()), value)
    }

    /// A soft limit of this process by the name that the kernel gives it, such as `Max open files`.
    pub fn soft_limit(&self, name: &str) -> Option<Limit> {
        self.limit(name, 0)
    }

    /// Up to where this process may raise that soft limit by itself.
    pub fn hard_limit(&self, name: &str) -> Option<Limit> {
        self.limit(name, 1)
    }

    fn limit(&self, name: &str, column: usize) -> Option<Limit> {
        let limits = self.text("/proc/self/limits")?;
        let line = limits.lines().find(|line| line.starts_with(name))?;
        match line.get(name.len()..)?.split_whitespace().nth(column)? {
            "unlimited" => Some(Limit::Unlimited),
            number => number.parse().ok().map(Limit::At),
        }
    }
}

/// How much of something the process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Unlimited,
    At(u64),
}

impl Limit {
    /// The limit where it is lower than what is needed.
    pub fn below(self, needed: u64) -> Option<u64> {
        match self {
            Self::At(limit) if limit < needed => Some(limit),
            Self::At(_) | Self::Unlimited => None,
        }
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unlimited => f.write_str("unlimited"),
            Self::At(limit) => limit.fmt(f),
        }
    }
}

/// The kernel's way to write sets of numbers: `0-3,8`.
pub fn number_list(text: &str) -> Option<Vec<usize>> {
    let mut numbers = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (usize, usize) = (from.parse().ok()?, to.parse().ok()?);
        if to < from || to - from > LIST_LEN_MAX {
            return None;
        }
        numbers.extend(from..=to);
    }
    Some(numbers)
}

/// More CPUs than any kernel has.
const LIST_LEN_MAX: usize = 65_536;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A folder that looks like a host; it goes away with the value.
    pub(crate) struct Pretended(PathBuf);

    impl Pretended {
        pub(crate) fn with(files: &[(&str, &str)]) -> (Self, Host) {
            use std::sync::atomic::{AtomicU32, Ordering};
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let unique = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("kakera-host-{}-{unique}", std::process::id());
            let root = std::env::temp_dir().join(name);
            for (path, text) in files {
                let path = root.join(path.trim_start_matches('/'));
                fs::create_dir_all(path.parent().expect("a file has a folder")).unwrap();
                fs::write(path, text).unwrap();
            }
            (Self(root.clone()), Host::at(root))
        }
    }

    impl Drop for Pretended {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn sets_of_numbers_are_read_as_the_kernel_writes_them() {
        assert_eq!(number_list("0-3,8\n"), Some(vec![0, 1, 2, 3, 8]));
        assert_eq!(number_list("5"), Some(vec![5]));
        assert_eq!(number_list(""), Some(vec![]));
        assert_eq!(number_list("3-1"), None);
        assert_eq!(number_list("0-99999999"), None);
        assert_eq!(number_list("a"), None);
    }

    #[test]
    fn limits_are_read_as_the_kernel_writes_them() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max open files            1024                 1048576              files     \n\
                    Max locked memory         unlimited            unlimited            bytes     \n";
        let (_guard, host) = Pretended::with(&[("/proc/self/limits", text)]);
        assert_eq!(host.soft_limit("Max open files"), Some(Limit::At(1024)));
        assert_eq!(host.hard_limit("Max open files"), Some(Limit::At(1_048_576)));
        assert_eq!(host.soft_limit("Max locked memory"), Some(Limit::Unlimited));
        assert_eq!(host.soft_limit("Max processes"), None);
        assert!(Host::default().soft_limit("Max open files").is_some());
    }

    #[test]
    fn what_a_host_does_not_tell_is_nothing() {
        let (_guard, host) = Pretended::with(&[("/proc/sys/net/core/somaxconn", "4096\n")]);
        assert_eq!(host.number("/proc/sys/net/core/somaxconn"), Some(4096));
        assert_eq!(host.number::<u64>("/proc/sys/kernel/io_uring_disabled"), None);
        assert_eq!(host.names("/proc/sys/net"), ["core"]);
        assert!(host.names("/sys").is_empty());
    }
}
