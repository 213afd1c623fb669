//! What those who lead a group do to others: add, kick, ban, promote, demote.

use hashbrown::{HashMap, HashSet};
use serde_json::json;

use super::{
    GroupError, Groups,
    rules::{Change, decide},
};
use crate::{
    chat::GroupEvent,
    ids::{GroupId, UserId},
    notifications::{Notice, codes},
    store::{
        Tx,
        groups::{self as table, GroupRecord, MemberState, NewEdge},
        locks,
        messages::{self, GroupNote},
        see_through,
    },
};

/// What is done to users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Makes a member of a stranger, or of somebody who asked.
    Add,
    /// Also declines a request and lifts a ban.
    Kick,
    /// Of members and of those who asked.
    Ban,
    Promote,
    Demote,
}

impl Act {
    fn event(self) -> GroupEvent {
        match self {
            Self::Add => GroupEvent::Add,
            Self::Kick => GroupEvent::Kick,
            Self::Ban => GroupEvent::Ban,
            Self::Promote => GroupEvent::Promote,
            Self::Demote => GroupEvent::Demote,
        }
    }
}

/// One of those who are acted on.
#[derive(Clone, Debug)]
struct Target {
    user: UserId,
    /// For a new edge.
    position: i64,
    note: GroupNote,
}

/// What came of an act.
struct Done {
    group: GroupRecord,
    /// Notes that were stored, each with the user's name.
    noted: Vec<(GroupNote, String)>,
}

impl Groups {
    /// Acts on users. Of those to whom it does not apply, or above the actor, nothing changes; nor of the
    /// actor. `by` is `None` for the server itself, which may do what a superadmin may.
    pub async fn act(
        &self,
        act: Act,
        by: Option<UserId>,
        group: GroupId,
        users: &[UserId],
    ) -> Result<(), GroupError> {
        if users.is_empty() {
            return Ok(());
        }
        let mut others: Vec<UserId> =
            users.iter().copied().filter(|user| Some(*user) != by).collect();
        others.sort_unstable();
        others.dedup();
        let this = self.clone();
        see_through(
            "act on members",
            async move { this.act_and_tell(act, by, group, &others).await },
        )
        .await
    }

    async fn act_and_tell(
        &self,
        act: Act,
        by: Option<UserId>,
        group: GroupId,
        others: &[UserId],
    ) -> Result<(), GroupError> {
        let done = self
            .transact(|| {
                let targets: Vec<Target> = others
                    .iter()
                    .zip(self.positions())
                    .map(|(user, position)| Target {
                        user: *user,
                        position,
                        note: self.channels.note(group, act.event(), *user),
                    })
                    .collect();
                async move |tx: &mut Tx<'_>| carry_out(tx, act, by, group, &targets).await
            })
            .await?;
        let Done { group: record, noted } = done;
        if act == Act::Add {
            self.tell_added(by, &record, &noted).await;
        }
        for (note, username) in noted {
            self.channels.announce(&note, username);
            if matches!(act, Act::Kick | Act::Ban) {
                self.channels.remove(group, note.user);
            }
        }
        Ok(())
    }

    async fn tell_added(
        &self,
        by: Option<UserId>,
        group: &GroupRecord,
        noted: &[(GroupNote, String)],
    ) {
        let content = json!({ "group_id": group.id.to_string(), "name": group.name });
        let subject = format!("You've been added to group {}", group.name);
        let notice = |(note, _): &(GroupNote, String)| {
            let notice = Notice::stored(codes::GROUP_ADD, subject.clone(), &content, by)?;
            Ok((note.user, notice))
        };
        self.tell(noted.iter().map(notice).collect()).await;
    }
}

async fn carry_out(
    tx: &mut Tx<'_>,
    act: Act,
    by: Option<UserId>,
    group: GroupId,
    targets: &[Target],
) -> Result<Done, GroupError> {
    let users: Vec<UserId> = targets.iter().map(|target| target.user).collect();
    let known: HashSet<UserId> = locks::accounts_stay(tx, &users).await?.into_iter().collect();
    locks::groups(tx, &[group]).await?;
    let all: Vec<UserId> = users.iter().copied().chain(by).collect();
    let mut states: HashMap<UserId, MemberState> =
        table::edges_of(tx, group, &all).await?.into_iter().collect();
    let actor = match by {
        None => MemberState::Superadmin,
        Some(by) => match states.get(&by) {
            Some(state) if *state <= MemberState::Admin => *state,
            Some(_) | None => return Err(GroupError::Denied),
        },
    };
    let record = table::get(tx, group).await?.ok_or(GroupError::NotFound)?;
    if act == Act::Add && known.len() < targets.len() {
        return Err(GroupError::UserNotFound);
    }

    let (mut superadmins, _) = table::members(tx, group).await?;
    let (mut members, mut noted) = (0, Vec::new());
    for Target { user, position, note } in targets {
        let before = states.remove(user);
        let is_super = |state| i64::from(state == Some(MemberState::Superadmin));
        let after = match decide(act, actor, before, superadmins - is_super(before)) {
            Change::Nothing => continue,
            Change::To(state) => Some(state),
            Change::Gone => None,
        };
        superadmins += is_super(after) - is_super(before);
        apply(tx, (group, *user), (before, after), *position).await?;
        let is_member = |state: Option<MemberState>| state.is_some_and(MemberState::is_member);
        members += i32::from(is_member(after)) - i32::from(is_member(before));
        // That a request is declined, or a ban lifted, is nobody else's business.
        if (is_member(before) || is_member(after))
            && let Some(username) = messages::insert_note(tx, note).await?
        {
            noted.push((note.clone(), username));
        }
    }
    if members > record.max_count.saturating_sub(record.edge_count) {
        return Err(GroupError::Full);
    }
    if members != 0 {
        table::add_to_edge_count(tx, group, members).await?;
    }
    Ok(Done { group: record, noted })
}

/// Makes the edges say what became of somebody.
async fn apply(
    tx: &mut Tx<'_>,
    (group, user): (GroupId, UserId),
    (before, after): (Option<MemberState>, Option<MemberState>),
    position: i64,
) -> Result<(), GroupError> {
    match (before, after) {
        (_, None) => table::remove(tx, group, user).await?,
        (_, Some(MemberState::Banned)) => {
            table::remove(tx, group, user).await?;
            table::ban(tx, (group, user), position).await?;
        }
        (None, Some(state)) => {
            table::insert(tx, NewEdge { group, user, state, position }).await?;
        }
        (Some(before), Some(state)) => {
            let lets_in = before == MemberState::Requested;
            table::set_state(tx, (group, user), state, lets_in).await?;
        }
    }
    Ok(())
}
