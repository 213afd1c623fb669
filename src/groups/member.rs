//! Joining and leaving.

use serde_json::json;

use super::{Caller, GroupError, Groups};
use crate::{
    chat::GroupEvent,
    ids::{GroupId, UserId},
    notifications::{Notice, codes},
    store::{
        Tx,
        groups::{self as table, MemberState, NewEdge},
        locks,
        messages::{self, GroupNote},
        see_through,
    },
};

/// What came of asking to join.
enum Joined {
    /// The group knew the user before: as a member, as somebody who asks or who is banned.
    Already,
    /// The group is open.
    Member { username: String },
    /// The group is closed; these may let the user in.
    Requested { admins: Vec<UserId> },
}

/// What came of leaving.
enum Left {
    NotThere,
    /// The last one has left, and the group is gone.
    Deleted,
    Gone {
        username: Option<String>,
    },
}

impl Groups {
    /// Makes the caller a member of an open group, and one who asks of a closed one. Who is banned is
    /// told nothing.
    pub async fn join(&self, caller: Caller<'_>, group: GroupId) -> Result<(), GroupError> {
        let (this, user, username) = (self.clone(), caller.user, caller.username.to_owned());
        see_through("join a group", async move {
            this.join_and_tell(Caller { user, username: &username }, group).await
        })
        .await
    }

    async fn join_and_tell(&self, caller: Caller<'_>, group: GroupId) -> Result<(), GroupError> {
        let user = caller.user;
        let note = self.channels.note(group, GroupEvent::Join, user);
        let joined = self
            .transact(|| {
                let (note, position) = (note.clone(), self.position());
                async move |tx: &mut Tx<'_>| join(tx, &note, position).await
            })
            .await?;
        match joined {
            Joined::Already => {}
            Joined::Member { username } => self.channels.announce(&note, username),
            Joined::Requested { admins } => {
                let username = caller.username;
                let content = json!({ "group_id": group.to_string(), "username": username });
                let subject = format!("User {username} wants to join your group");
                let notice = |admin| {
                    let code = codes::GROUP_JOIN_REQUEST;
                    Ok((admin, Notice::stored(code, subject.clone(), &content, Some(user))?))
                };
                self.tell(admins.into_iter().map(notice).collect()).await;
            }
        }
        Ok(())
    }

    /// Takes the caller out of the group, or back what they asked. The last superadmin stays as long as
    /// there are others, and deletes the group by leaving it alone. Who is not there is no error.
    pub async fn leave(&self, user: UserId, group: GroupId) -> Result<(), GroupError> {
        let this = self.clone();
        see_through("leave a group", async move { this.leave_and_tell(user, group).await }).await
    }

    async fn leave_and_tell(&self, user: UserId, group: GroupId) -> Result<(), GroupError> {
        let note = self.channels.note(group, GroupEvent::Leave, user);
        let stored = note.clone();
        let steps = async move |tx: &mut Tx<'_>| leave(tx, &stored).await;
        match self.store.write(steps).await? {
            Left::NotThere => {}
            Left::Deleted => self.channels.close(group),
            Left::Gone { username } => {
                if let Some(username) = username {
                    self.channels.announce(&note, username);
                }
                self.channels.remove(group, user);
            }
        }
        Ok(())
    }
}

async fn join(tx: &mut Tx<'_>, note: &GroupNote, position: i64) -> Result<Joined, GroupError> {
    let GroupNote { group, user, .. } = *note;
    if locks::accounts_stay(tx, &[user]).await?.is_empty() {
        return Err(GroupError::Gone);
    }
    locks::groups(tx, &[group]).await?;
    let record = table::get(tx, group).await?.ok_or(GroupError::NotFound)?;
    if record.edge_count >= record.max_count {
        return Err(GroupError::Full);
    }
    if !table::edges_of(tx, group, &[user]).await?.is_empty() {
        return Ok(Joined::Already);
    }
    let state = if record.open { MemberState::Member } else { MemberState::Requested };
    table::insert(tx, NewEdge { group, user, state, position }).await?;
    if !record.open {
        return Ok(Joined::Requested { admins: table::admins(tx, group).await? });
    }
    table::add_to_edge_count(tx, group, 1).await?;
    let username = messages::insert_note(tx, note).await?.ok_or(GroupError::Gone)?;
    Ok(Joined::Member { username })
}

async fn leave(tx: &mut Tx<'_>, note: &GroupNote) -> Result<Left, GroupError> {
    let GroupNote { group, user, .. } = *note;
    locks::accounts_stay(tx, &[user]).await?;
    locks::groups(tx, &[group]).await?;
    let states = table::edges_of(tx, group, &[user]).await?;
    let state = match states.first() {
        None | Some((_, MemberState::Banned)) => return Ok(Left::NotThere),
        Some((_, state)) => *state,
    };
    if state == MemberState::Superadmin {
        match table::members(tx, group).await? {
            (1, 1) => {
                table::delete(tx, group).await?;
                return Ok(Left::Deleted);
            }
            (1, _) => return Err(GroupError::LastSuperadmin),
            _ => {}
        }
    }
    table::remove(tx, group, user).await?;
    if state.is_member() {
        table::add_to_edge_count(tx, group, -1).await?;
    }
    Ok(Left::Gone { username: messages::insert_note(tx, note).await? })
}
