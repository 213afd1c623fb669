//! Groups of players.

use kakera_proto::api;

use super::{Api, Context};
use crate::{
    error::Error,
    groups::{Act, Caller, Draft, GroupFilter, Listing, shown},
    ids::{GroupId, UserId},
    store::groups::GroupChange,
};

fn group_id(text: &str) -> Result<GroupId, Error> {
    if text.is_empty() {
        return Err(Error::invalid("Group ID must be set."));
    }
    text.parse().map_err(|_| Error::invalid("Group ID must be a valid ID."))
}

fn user_ids(texts: &[String]) -> Result<Vec<UserId>, Error> {
    let id = |text: &String| match text.parse() {
        Ok(UserId::NIL) | Err(_) => Err(Error::invalid("User ID must be a valid ID.")),
        Ok(id) => Ok(id),
    };
    texts.iter().map(id).collect()
}

impl Api {
    pub(super) async fn create_group(
        &self,
        context: &Context,
        request: &api::CreateGroupRequest,
    ) -> Result<api::Group, Error> {
        let request = request.clone();
        let draft = Draft {
            name: request.name,
            description: request.description,
            avatar_url: request.avatar_url,
            lang_tag: request.lang_tag,
            metadata: String::new(),
            open: request.open,
            max_count: (request.max_count != 0).then_some(request.max_count),
        };
        let created = self.services.groups.create(context.player()?.user_id, &draft).await?;
        Ok(shown(created))
    }

    pub(super) async fn update_group(
        &self,
        context: &Context,
        request: &api::UpdateGroupRequest,
    ) -> Result<(), Error> {
        let group = group_id(&request.group_id)?;
        let request = request.clone();
        if request.name.as_deref() == Some("") {
            return Err(Error::invalid("Group name cannot be empty."));
        }
        if request.lang_tag.as_deref() == Some("") {
            return Err(Error::invalid("Group language cannot be empty."));
        }
        let change = GroupChange {
            name: request.name,
            lang_tag: request.lang_tag,
            description: request.description,
            avatar_url: request.avatar_url,
            open: request.open,
            ..GroupChange::default()
        };
        let by = context.player()?.user_id;
        Ok(self.services.groups.update(Some(by), group, change).await?)
    }

    pub(super) async fn delete_group(
        &self,
        context: &Context,
        request: &api::DeleteGroupRequest,
    ) -> Result<(), Error> {
        let group = group_id(&request.group_id)?;
        let by = context.player()?.user_id;
        Ok(self.services.groups.delete(Some(by), group).await?)
    }

    pub(super) async fn join_group(
        &self,
        context: &Context,
        request: &api::JoinGroupRequest,
    ) -> Result<(), Error> {
        let group = group_id(&request.group_id)?;
        let player = context.player()?;
        let caller = Caller { user: player.user_id, username: &player.username };
        Ok(self.services.groups.join(caller, group).await?)
    }

    pub(super) async fn leave_group(
        &self,
        context: &Context,
        request: &api::LeaveGroupRequest,
    ) -> Result<(), Error> {
        let group = group_id(&request.group_id)?;
        Ok(self.services.groups.leave(context.player()?.user_id, group).await?)
    }

    pub(super) async fn add_group_users(
        &self,
        context: &Context,
        request: &api::AddGroupUsersRequest,
    ) -> Result<(), Error> {
        self.act_on_group(context, Act::Add, &request.group_id, &request.user_ids).await
    }

    pub(super) async fn kick_group_users(
        &self,
        context: &Context,
        request: &api::KickGroupUsersRequest,
    ) -> Result<(), Error> {
        self.act_on_group(context, Act::Kick, &request.group_id, &request.user_ids).await
    }

    pub(super) async fn ban_group_users(
        &self,
        context: &Context,
        request: &api::BanGroupUsersRequest,
    ) -> Result<(), Error> {
        self.act_on_group(context, Act::Ban, &request.group_id, &request.user_ids).await
    }

    pub(super) async fn promote_group_users(
        &self,
        context: &Context,
        request: &api::PromoteGroupUsersRequest,
    ) -> Result<(), Error> {
        self.act_on_group(context, Act::Promote, &request.group_id, &request.user_ids).await
    }

    pub(super) async fn demote_group_users(
        &self,
        context: &Context,
        request: &api::DemoteGroupUsersRequest,
    ) -> Result<(), Error> {
        group_id(&request.group_id)?;
        // Of these calls only this one has ever asked for somebody.
        if request.user_ids.is_empty() {
            return Err(Error::invalid("User IDs must be set."));
        }
        self.act_on_group(context, Act::Demote, &request.group_id, &request.user_ids).await
    }

    async fn act_on_group(
        &self,
        context: &Context,
        act: Act,
        group: &str,
        users: &[String],
    ) -> Result<(), Error> {
        let (group, users) = (group_id(group)?, user_ids(users)?);
        let by = context.player()?.user_id;
        Ok(self.services.groups.act(act, Some(by), group, &users).await?)
    }

    pub(super) async fn list_groups(
        &self,
        _: &Context,
        request: &api::ListGroupsRequest,
    ) -> Result<api::GroupList, Error> {
        let api::ListGroupsRequest { name, cursor, limit, lang_tag, members, open } =
            request.clone();
        let filter = GroupFilter { name, lang_tag, members, open, limit, cursor };
        Ok(self.services.groups.list(filter).await?)
    }

    pub(super) async fn list_group_users(
        &self,
        _: &Context,
        request: &api::ListGroupUsersRequest,
    ) -> Result<api::GroupUserList, Error> {
        let api::ListGroupUsersRequest { group_id: group, limit, state, cursor } = request.clone();
        let group = group_id(&group)?;
        Ok(self.services.groups.users(group, &Listing { limit, state, cursor }).await?)
    }

    pub(super) async fn list_user_groups(
        &self,
        _: &Context,
        request: &api::ListUserGroupsRequest,
    ) -> Result<api::UserGroupList, Error> {
        let api::ListUserGroupsRequest { user_id, limit, state, cursor } = request.clone();
        if user_id.is_empty() {
            return Err(Error::invalid("User ID must be set."));
        }
        // The sentence names the wrong thing, and always has.
        let user = user_id.parse().map_err(|_| Error::invalid("Group ID must be a valid ID."))?;
        Ok(self.services.groups.memberships(user, &Listing { limit, state, cursor }).await?)
    }
}
