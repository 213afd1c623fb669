//! The ring: which shard of the cluster owns a key.
//!
//! Keys fall into a fixed number of slots; a slot belongs to the shard with the highest score for it
//! (rendezvous hashing, Thaler and Ravishankar 1998). Each shard of each node competes, so a node
//! weighs as much as it has shards. When members come or go, only slots that a new shard wins or a
//! lost shard held change hands, and finding an owner is one look into a table.

use std::{collections::BTreeSet, sync::Arc};

use crate::{Address, NodeId, ShardId, stable_hash::mix};

const SLOT_BITS: u32 = 14;
/// Slots of the ring. Every node of a cluster must use the same number. With 64 shards in all a shard
/// holds 256 of them, give or take a sixteenth.
pub const SLOTS: usize = 1 << SLOT_BITS;

/// A node and how many shards it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    pub node: NodeId,
    pub shards: u16,
}

/// Who owns what, as of an epoch. Immutable; clones share the table.
#[derive(Clone, Debug)]
pub struct Ring {
    epoch: u64,
    members: Arc<[Member]>,
    owners: Arc<[Address]>,
}

impl Ring {
    /// A ring over the given members. Nodes named twice count once, with the most shards given.
    ///
    /// None where no member has a shard: there must be an owner for everything. Costs about 1 ns for
    /// each slot and shard.
    pub fn new(epoch: u64, members: &[Member]) -> Option<Self> {
        let members = normalize(members);
        let shards = addresses(&members);
        if shards.is_empty() {
            return None;
        }
        let owners = (0..SLOTS).map(|slot| winner(slot, &shards)).collect::<Option<Arc<_>>>()?;
        Some(Self { epoch, members, owners })
    }

    /// The ring after a change of membership. It equals [`Ring::new`] with the new members, but costs
    /// only what changed.
    pub fn changed(&self, epoch: u64, members: &[Member]) -> Option<Self> {
        let members = normalize(members);
        let shards = addresses(&members);
        if shards.is_empty() {
            return None;
        }
        let before: BTreeSet<Address> = addresses(&self.members).into_iter().collect();
        let after: BTreeSet<Address> = shards.iter().copied().collect();
        let joined: Vec<Address> = after.difference(&before).copied().collect();
        let owners = self
            .owners
            .iter()
            .enumerate()
            .map(|(slot, owner)| {
                if !after.contains(owner) {
                    return winner(slot, &shards);
                }
                winner(slot, &joined)
                    .into_iter()
                    .chain([*owner])
                    .max_by_key(|&address| (score(slot, address), address))
            })
            .collect::<Option<Arc<_>>>()?;
        Some(Self { epoch, members, owners })
    }

    /// The shard that owns a key, by the key's [`crate::StableHash`].
    pub fn owner(&self, key_hash: u64) -> Address {
        self.owners[Self::slot(key_hash)]
    }

    /// Where in the table a key falls. Keys of one slot always move together.
    pub fn slot(key_hash: u64) -> usize {
        // The shift leaves as many bits as the table has slots, so the index is always inside.
        (key_hash >> (u64::BITS - SLOT_BITS)) as usize
    }

    /// Grows with every change of membership, so that an old view can be told from a new one.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The members, by node id.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Whether the shard is one of the ring's. It takes a look at each node, not at each shard.
    pub fn has(&self, shard: Address) -> bool {
        self.members.iter().any(|m| m.node == shard.node && shard.shard.0 < m.shards)
    }

    /// Every shard of the cluster.
    pub fn shards(&self) -> impl Iterator<Item = Address> + '_ {
        self.members.iter().flat_map(|member| shards_of(*member))
    }

    /// The slots whose owner differs from the other ring's: what has to be announced anew.
    pub fn moved_slots<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = usize> + 'a {
        let pairs = self.owners.iter().zip(other.owners.iter()).enumerate();
        pairs.filter(|(_, (mine, theirs))| mine != theirs).map(|(slot, _)| slot)
    }
}

fn normalize(members: &[Member]) -> Arc<[Member]> {
    let mut members: Vec<Member> = members.iter().copied().filter(|m| m.shards > 0).collect();
    members.sort_unstable_by_key(|m| (m.node, std::cmp::Reverse(m.shards)));
    members.dedup_by_key(|m| m.node);
    members.into()
}

fn shards_of(member: Member) -> impl Iterator<Item = Address> {
    (0..member.shards).map(move |shard| Address { node: member.node, shard: ShardId(shard) })
}

fn addresses(members: &[Member]) -> Vec<Address> {
    members.iter().flat_map(|member| shards_of(*member)).collect()
}

fn winner(slot: usize, shards: &[Address]) -> Option<Address> {
    shards.iter().copied().max_by_key(|&address| (score(slot, address), address))
}

fn score(slot: usize, address: Address) -> u64 {
    let who = (u64::from(address.node.0) << 16) | u64::from(address.shard.0);
    mix(mix(who) ^ slot as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn member(node: u32, shards: u16) -> Member {
        Member { node: NodeId(node), shards }
    }

    #[test]
    fn nothing_owns_anything_without_a_shard() {
        assert!(Ring::new(1, &[]).is_none());
        assert!(Ring::new(1, &[member(1, 0)]).is_none());
    }

    #[test]
    fn a_ring_has_the_shards_of_its_nodes_and_no_others() {
        let ring = Ring::new(1, &[member(1, 2), member(7, 3)]).unwrap();
        assert!(ring.shards().all(|shard| ring.has(shard)));
        for (node, shard) in [(1, 2), (7, 3), (2, 0)] {
            assert!(
                !ring.has(Address { node: NodeId(node), shard: ShardId(shard) }),
                "{node} {shard}"
            );
        }
    }

    #[test]
    fn a_node_weighs_as_much_as_it_has_shards() {
        let ring = Ring::new(1, &[member(1, 2), member(2, 6)]).unwrap();
        let heavy = ring.owners.iter().filter(|owner| owner.node == NodeId(2)).count();
        let share = heavy as f64 / SLOTS as f64;
        assert!((0.73..0.77).contains(&share), "{share}");
    }

    #[test]
    fn the_shards_of_a_node_share_evenly() {
        let ring = Ring::new(1, &[member(9, 64)]).unwrap();
        let mut held: BTreeMap<Address, usize> = BTreeMap::new();
        for owner in ring.owners.iter() {
            *held.entry(*owner).or_default() += 1;
        }
        assert_eq!(held.len(), 64);
        // 256 on average, standard deviation 16.
        assert!(held.values().all(|&n| (190..330).contains(&n)), "{held:?}");
    }

    /// Nodes of different versions must agree, so this never changes.
    #[test]
    fn the_owners_of_known_keys_never_change() {
        let ring = Ring::new(1, &[member(1, 4), member(2, 4), member(7, 2)]).unwrap();
        let owner = |key: u64| {
            let address = ring.owner(mix(key));
            (address.node.0, address.shard.0)
        };
        assert_eq!(
            [owner(1), owner(2), owner(3), owner(4), owner(5)],
            [(2, 0), (1, 1), (7, 1), (1, 2), (1, 3)]
        );
    }

    fn members() -> impl Strategy<Value = Vec<Member>> {
        prop::collection::vec((1u32..12, 0u16..5).prop_map(|(n, s)| member(n, s)), 1..8)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn only_what_must_move_moves(before in members(), after in members()) {
            let (Some(old), Some(new)) = (Ring::new(1, &before), Ring::new(2, &after)) else {
                return Ok(());
            };
            let was: BTreeSet<Address> = old.shards().collect();
            let is: BTreeSet<Address> = new.shards().collect();
            for slot in new.moved_slots(&old) {
                let lost = !is.contains(&old.owners[slot]);
                let won = !was.contains(&new.owners[slot]);
                prop_assert!(lost || won, "slot {} moved between two shards that stayed", slot);
            }
        }

        #[test]
        fn a_changed_ring_equals_one_built_anew(before in members(), after in members()) {
            let Some(old) = Ring::new(1, &before) else { return Ok(()) };
            let (changed, anew) = (old.changed(2, &after), Ring::new(2, &after));
            prop_assert_eq!(changed.as_ref().map(|r| &r.owners), anew.as_ref().map(|r| &r.owners));
            prop_assert_eq!(changed.as_ref().map(|r| &r.members), anew.as_ref().map(|r| &r.members));
        }

        #[test]
        fn every_node_sees_the_same_owner_in_whatever_order_it_learnt_the_members(
            members in members(), key in any::<u64>(),
        ) {
            let mut reversed = members.clone();
            reversed.reverse();
            let (a, b) = (Ring::new(1, &members), Ring::new(1, &reversed));
            prop_assert_eq!(a.map(|r| r.owner(key)), b.map(|r| r.owner(key)));
        }
    }
}
