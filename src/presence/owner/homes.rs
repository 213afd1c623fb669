//! On which shards a stream has members, and which formats they speak there.

use kakera_shards::Address;

use crate::fanout::{Format, Formats};

/// The members of a stream on one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HomeCount {
    pub address: Address,
    json: u32,
    protobuf: u32,
}

impl HomeCount {
    pub fn formats(&self) -> Formats {
        Formats { json: self.json > 0, protobuf: self.protobuf > 0 }
    }

    pub fn members(&self) -> u32 {
        self.json + self.protobuf
    }

    /// The same with one member of that format less.
    #[must_use]
    pub fn without(mut self, format: Format) -> Self {
        let count = self.count(format);
        *count = count.saturating_sub(1);
        self
    }

    fn count(&mut self, format: Format) -> &mut u32 {
        match format {
            Format::Json => &mut self.json,
            Format::Protobuf => &mut self.protobuf,
        }
    }
}

/// The shards that have members of a stream. There are few, so a list is walked.
#[derive(Default)]
pub(super) struct Homes(Vec<HomeCount>);

impl Homes {
    pub(super) fn as_slice(&self) -> &[HomeCount] {
        &self.0
    }

    pub(super) fn add(&mut self, address: Address, format: Format) {
        if let Some(home) = self.0.iter_mut().find(|home| home.address == address) {
            *home.count(format) += 1;
            return;
        }
        if self.0.is_empty() {
            self.0.reserve_exact(1);
        }
        let mut home = HomeCount { address, json: 0, protobuf: 0 };
        *home.count(format) = 1;
        self.0.push(home);
    }

    pub(super) fn remove(&mut self, address: Address, format: Format) {
        let Some(index) = self.0.iter().position(|home| home.address == address) else { return };
        let Some(home) = self.0.get_mut(index) else { return };
        let count = home.count(format);
        *count = count.saturating_sub(1);
        if !home.formats().any() {
            self.0.swap_remove(index);
        }
    }

    pub(super) fn formats(&self) -> Formats {
        self.0.iter().fold(Formats::default(), |all, home| all.with(home.formats()))
    }
}
