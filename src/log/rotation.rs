//! A log file that starts anew when it is full, and keeps a number of old ones.
//!
//! Old files are named `NAME-2026-01-31T23-59-59.999.EXT`, and `.gz` after that when compressed, as the
//! reference names them, so that both clean up after each other.
#![allow(unsafe_code)] // For the time zone of the host.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use time::{OffsetDateTime, UtcOffset};

use super::{append_to, render::now};
use crate::config::Logger;

/// When to start a new file, and which old ones to keep.
#[derive(Clone, Debug)]
pub(super) struct Rotation {
    size_max: u64,
    age_max: Option<Duration>,
    backups_max: Option<usize>,
    local_time: bool,
    compress: bool,
}

impl From<&Logger> for Rotation {
    fn from(config: &Logger) -> Self {
        let megabytes = if config.max_size == 0 { 100 } else { config.max_size };
        let days = u64::from(config.max_age);
        Self {
            size_max: u64::from(megabytes) << 20,
            age_max: (days > 0).then(|| Duration::from_secs(days * 24 * 60 * 60)),
            backups_max: (config.max_backups > 0).then_some(config.max_backups as usize),
            local_time: config.local_time,
            compress: config.compress,
        }
    }
}

/// A file of bounded size. Only the log's writer thread has it.
pub(super) struct RotatingFile {
    path: PathBuf,
    rotation: Rotation,
    file: File,
    size: u64,
    /// Whether a thread is busy with old files; there is at most one.
    is_tidying: Arc<AtomicBool>,
}

impl RotatingFile {
    pub(super) fn open(path: &Path, rotation: Rotation) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = append_to(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), rotation, file, size, is_tidying: Arc::default() })
    }

    fn rotate(&mut self) -> io::Result<()> {
        fs::rename(&self.path, self.path.with_file_name(self.backup_name()))?;
        self.file = append_to(&self.path)?;
        self.size = self.file.metadata()?.len();
        self.tidy();
        Ok(())
    }

    fn backup_name(&self) -> String {
        let now = if self.rotation.local_time { now().to_offset(local_offset()) } else { now() };
        let (date, time) = (now.date(), now.time());
        let (prefix, extension) = affixes(&self.path);
        format!(
            "{prefix}{:04}-{:02}-{:02}T{:02}-{:02}-{:02}.{:03}{extension}",
            date.year(),
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute(),
            time.second(),
            time.millisecond(),
        )
    }

    /// Removes and compresses old files, on a thread of its own: gzip of a big file takes seconds.
    fn tidy(&self) {
        if self.is_tidying.swap(true, Ordering::AcqRel) {
            return; // The next rotation comes by again.
        }
        let (path, rotation, is_tidying) =
            (self.path.clone(), self.rotation.clone(), Arc::clone(&self.is_tidying));
        let work = move || {
            if let Err(error) = tidy(&path, &rotation) {
                tracing::warn!(%error, "cannot tidy up old log files");
            }
            is_tidying.store(false, Ordering::Release);
        };
        if thread::Builder::new().name("log-tidy".to_owned()).spawn(work).is_err() {
            self.is_tidying.store(false, Ordering::Release);
        }
    }
}

impl Write for RotatingFile {
    /// Takes a whole line, so that none is split over two files.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.size > 0 && self.size + line.len() as u64 > self.rotation.size_max {
            // Without a new file the old one goes on; losing lines would be worse.
            let _ = self.rotate();
        }
        let written = self.file.write(line)?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// What the names of old files begin and end with.
fn affixes(path: &Path) -> (String, String) {
    let text = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let extension =
        path.extension().map(|_| format!(".{}", text(path.extension()))).unwrap_or_default();
    (format!("{}-", text(path.file_stem())), extension)
}

/// Old files, newest first: their names hold the time.
fn backups(path: &Path) -> io::Result<Vec<PathBuf>> {
    let (prefix, extension) = affixes(path);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let bare = name.strip_suffix(".gz").unwrap_or(&name);
        let time = bare.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(&extension));
        if time.is_some_and(is_time) {
            found.push(entry.path());
        }
    }
    found.sort_by(|a, b| b.file_name().cmp(&a.file_name()));
    Ok(found)
}

/// Whether a text looks like `2026-01-31T23-59-59.999`.
fn is_time(text: &str) -> bool {
    let shape = "dddd-dd-ddTdd-dd-dd.ddd";
    text.len() == shape.len()
        && text
            .chars()
            .zip(shape.chars())
            .all(|(c, s)| if s == 'd' { c.is_ascii_digit() } else { c == s })
}

fn tidy(path: &Path, rotation: &Rotation) -> io::Result<()> {
    for (index, old) in backups(path)?.into_iter().enumerate() {
        let age = fs::metadata(&old)?.modified()?.elapsed().unwrap_or_default();
        let is_surplus = rotation.backups_max.is_some_and(|max| index >= max);
        if is_surplus || rotation.age_max.is_some_and(|max| age > max) {
            fs::remove_file(&old)?;
        } else if rotation.compress && old.extension() != Some(OsStr::new("gz")) {
            compress(&old)?;
        }
    }
    Ok(())
}

/// Leaves `NAME.gz` in place of the file; a crash in between leaves the file.
fn compress(path: &Path) -> io::Result<()> {
    let mut compressed = path.as_os_str().to_owned();
    compressed.push(".gz");
    let mut partial = compressed.clone();
    partial.push(".partial");
    let mut encoder = GzEncoder::new(File::create(&partial)?, Compression::default());
    io::copy(&mut File::open(path)?, &mut encoder)?;
    encoder.finish()?.sync_all()?;
    fs::rename(&partial, &compressed)?;
    fs::remove_file(path)
}

/// The host's offset from UTC at this moment.
fn local_offset() -> UtcOffset {
    let now: libc::time_t = OffsetDateTime::unix_timestamp(now());
    // SAFETY: an all-zero `tm` is a valid value, and both pointers are valid for the call, which writes
    // to nothing else.
    let seconds = unsafe {
        let mut local: libc::tm = std::mem::zeroed();
        if libc::localtime_r(&raw const now, &raw mut local).is_null() {
            return UtcOffset::UTC;
        }
        local.tm_gmtoff
    };
    i32::try_from(seconds)
        .ok()
        .and_then(|s| UtcOffset::from_whole_seconds(s).ok())
        .unwrap_or(UtcOffset::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("kakera-log-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Self(path)
        }

        fn names(&self) -> Vec<String> {
            let mut names: Vec<_> = fs::read_dir(&self.0)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn rotation() -> Rotation {
        Rotation {
            size_max: 100,
            age_max: None,
            backups_max: None,
            local_time: false,
            compress: false,
        }
    }

    #[test]
    fn a_full_file_is_put_aside_whole_and_nothing_is_lost() {
        let folder = Folder::new("rotate");
        let mut file = RotatingFile::open(&folder.0.join("server.log"), rotation()).unwrap();
        let line = [b"x".repeat(59), b"\n".to_vec()].concat();
        for _ in 0..3 {
            file.write_all(&line).unwrap();
            thread::sleep(Duration::from_millis(2)); // Old files are named by the millisecond.
        }
        let names = folder.names();
        assert_eq!(names.len(), 3, "{names:?}");
        for name in &names {
            assert_eq!(fs::read(folder.0.join(name)).unwrap(), line, "{name}");
        }
        assert_eq!(backups(&folder.0.join("server.log")).unwrap().len(), 2);
    }

    #[test]
    fn only_the_newest_backups_stay_and_strangers_are_left_alone() {
        let folder = Folder::new("tidy");
        fs::create_dir_all(&folder.0).unwrap();
        for name in [
            "server-2026-01-01T00-00-00.000.log",
            "server-2026-01-02T00-00-00.000.log.gz",
            "server-2026-01-03T00-00-00.000.log",
            "server-notes.log",
            "other-2026-01-01T00-00-00.000.log",
        ] {
            fs::write(folder.0.join(name), "text").unwrap();
        }
        let keep_two = Rotation { backups_max: Some(2), compress: true, ..rotation() };
        tidy(&folder.0.join("server.log"), &keep_two).unwrap();
        assert_eq!(
            folder.names(),
            [
                "other-2026-01-01T00-00-00.000.log",
                "server-2026-01-02T00-00-00.000.log.gz",
                "server-2026-01-03T00-00-00.000.log.gz",
                "server-notes.log",
            ]
        );
        let compressed = fs::read(folder.0.join("server-2026-01-03T00-00-00.000.log.gz")).unwrap();
        let mut text = String::new();
        io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*compressed), &mut text)
            .unwrap();
        assert_eq!(text, "text");
    }
}
