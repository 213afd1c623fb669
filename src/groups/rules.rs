//! What those who lead a group may do to others.

use super::Act;
use crate::store::groups::MemberState::{self, Admin, Banned, Member, Requested, Superadmin};

/// What becomes of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing: there is nothing to do, or it is not allowed.
    Nothing,
    To(MemberState),
    /// The group knows them no more.
    Gone,
}

/// `by` is who acts; `target` how the other one stands to the group; `others` counts the superadmins besides
/// the other one.
pub(super) fn decide(
    act: Act,
    by: MemberState,
    target: Option<MemberState>,
    others: i64,
) -> Change {
    // A group always keeps a superadmin, and admins decide about those below them.
    let may_remove = |target| match by {
        Superadmin => target != Superadmin || others > 0,
        Admin => target > Admin,
        Member | Requested | Banned => false,
    };
    match (act, target) {
        (Act::Add, None | Some(Requested)) => Change::To(Member),
        (Act::Kick, Some(target)) if may_remove(target) => Change::Gone,
        (Act::Ban, Some(target)) if target != Banned && may_remove(target) => Change::To(Banned),
        (Act::Promote, Some(Member)) if by <= Admin => Change::To(Admin),
        (Act::Promote, Some(Admin)) if by == Superadmin => Change::To(Superadmin),
        (Act::Demote, Some(Superadmin)) if by == Superadmin && others > 0 => Change::To(Admin),
        (Act::Demote, Some(Admin)) if by <= Admin => Change::To(Member),
        (Act::Add | Act::Kick | Act::Ban | Act::Promote | Act::Demote, _) => Change::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STATES: [MemberState; 5] = [Superadmin, Admin, Member, Requested, Banned];
    const ACTS: [Act; 5] = [Act::Add, Act::Kick, Act::Ban, Act::Promote, Act::Demote];

    proptest! {
        #[test]
        fn the_last_superadmin_stays_and_nobody_rises_above_who_acts(
            act in 0_usize..5, by in 0_usize..2, target in 0_usize..5, others in 0_i64..3,
        ) {
            let (by, target) = (STATES[by], STATES[target]);
            let change = decide(ACTS[act], by, Some(target), others);
            if target == Superadmin && (others == 0 || by == Admin) {
                prop_assert_eq!(change, Change::Nothing);
            }
            if let Change::To(state) = change {
                prop_assert!(state >= by);
            }
        }
    }

    #[test]
    fn only_strangers_and_who_asks_are_added() {
        for (target, change) in [
            (None, Change::To(Member)),
            (Some(Requested), Change::To(Member)),
            (Some(Member), Change::Nothing),
            (Some(Banned), Change::Nothing),
        ] {
            assert_eq!(decide(Act::Add, Admin, target, 1), change, "{target:?}");
        }
    }

    #[test]
    fn a_kick_also_declines_a_request_and_lifts_a_ban() {
        for target in [Member, Requested, Banned] {
            assert_eq!(decide(Act::Kick, Admin, Some(target), 1), Change::Gone);
        }
        assert_eq!(decide(Act::Kick, Admin, Some(Admin), 1), Change::Nothing);
        assert_eq!(decide(Act::Kick, Superadmin, Some(Admin), 1), Change::Gone);
        assert_eq!(decide(Act::Ban, Superadmin, None, 1), Change::Nothing, "strangers");
    }

    #[test]
    fn requests_are_not_promoted_and_members_not_demoted() {
        assert_eq!(decide(Act::Promote, Superadmin, Some(Requested), 1), Change::Nothing);
        assert_eq!(decide(Act::Promote, Superadmin, Some(Member), 1), Change::To(Admin));
        assert_eq!(decide(Act::Promote, Admin, Some(Admin), 1), Change::Nothing);
        assert_eq!(decide(Act::Demote, Admin, Some(Admin), 1), Change::To(Member));
        assert_eq!(decide(Act::Demote, Superadmin, Some(Member), 1), Change::Nothing);
        assert_eq!(decide(Act::Demote, Superadmin, Some(Superadmin), 1), Change::To(Admin));
    }
}
