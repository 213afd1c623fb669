//! A player's friends.

use kakera_proto::api;

use super::{Api, Context};
use crate::{
    auth::Session,
    error::Error,
    friends::{Caller, Listing, Whom},
};

fn caller(session: &Session) -> Caller<'_> {
    Caller { user: session.user_id, username: &session.username }
}

impl Api {
    pub(super) async fn add_friends(
        &self,
        context: &Context,
        request: &api::AddFriendsRequest,
    ) -> Result<(), Error> {
        let whom = Whom { ids: &request.ids, usernames: &request.usernames };
        let caller = caller(context.player()?);
        Ok(self.services.friends.add(caller, whom, &request.metadata).await?)
    }

    pub(super) async fn delete_friends(
        &self,
        context: &Context,
        request: &api::DeleteFriendsRequest,
    ) -> Result<(), Error> {
        let whom = Whom { ids: &request.ids, usernames: &request.usernames };
        Ok(self.services.friends.delete(caller(context.player()?), whom).await?)
    }

    pub(super) async fn block_friends(
        &self,
        context: &Context,
        request: &api::BlockFriendsRequest,
    ) -> Result<(), Error> {
        let whom = Whom { ids: &request.ids, usernames: &request.usernames };
        Ok(self.services.friends.block(caller(context.player()?), whom).await?)
    }

    pub(super) async fn list_friends(
        &self,
        context: &Context,
        request: &api::ListFriendsRequest,
    ) -> Result<api::FriendList, Error> {
        let api::ListFriendsRequest { limit, state, cursor } = request.clone();
        let listing = Listing { limit, state, cursor };
        Ok(self.services.friends.list(context.player()?.user_id, &listing).await?)
    }

    pub(super) async fn list_friends_of_friends(
        &self,
        context: &Context,
        request: &api::ListFriendsOfFriendsRequest,
    ) -> Result<api::FriendsOfFriendsList, Error> {
        let user = context.player()?.user_id;
        let friends = &self.services.friends;
        Ok(friends.of_friends(user, request.limit, &request.cursor).await?)
    }
}
