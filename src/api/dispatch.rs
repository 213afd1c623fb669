//! Every call of the service and who answers it.

use bytes::Bytes;
use futures_util::future::{FutureExt, LocalBoxFuture, ready};
use kakera_proto::routes::{Rpc, Service, calls};

use super::{Api, Context, call::Inbound};
use crate::error::Error;

impl Api {
    /// Answers a call whose caller has been let in. Each call is a future of its own, on the heap: the
    /// small ones are not as big as the biggest.
    #[allow(clippy::too_many_lines)] // One arm for each call.
    pub(super) fn dispatch<'a>(
        &'a self,
        rpc: Rpc,
        context: &'a Context,
        inbound: Inbound<'a>,
    ) -> LocalBoxFuture<'a, Result<Bytes, Error>> {
        macro_rules! answer {
            ($call:ident, $handler:ident) => {
                inbound.answer::<calls::$call>(self, context, Self::$handler).boxed_local()
            };
        }
        match rpc {
            Rpc::SessionRefresh => answer!(SessionRefresh, session_refresh),
            Rpc::SessionLogout => answer!(SessionLogout, session_logout),
            Rpc::AuthenticateCustom => answer!(AuthenticateCustom, authenticate_custom),
            Rpc::AuthenticateDevice => answer!(AuthenticateDevice, authenticate_device),
            Rpc::AuthenticateEmail => answer!(AuthenticateEmail, authenticate_email),
            Rpc::AddFriends => answer!(AddFriends, add_friends),
            Rpc::BlockFriends => answer!(BlockFriends, block_friends),
            Rpc::AddGroupUsers => answer!(AddGroupUsers, add_group_users),
            Rpc::BanGroupUsers => answer!(BanGroupUsers, ban_group_users),
            Rpc::CreateGroup => answer!(CreateGroup, create_group),
            Rpc::DeleteGroup => answer!(DeleteGroup, delete_group),
            Rpc::JoinGroup => answer!(JoinGroup, join_group),
            Rpc::KickGroupUsers => answer!(KickGroupUsers, kick_group_users),
            Rpc::LeaveGroup => answer!(LeaveGroup, leave_group),
            Rpc::ListGroups => answer!(ListGroups, list_groups),
            Rpc::ListGroupUsers => answer!(ListGroupUsers, list_group_users),
            Rpc::ListUserGroups => answer!(ListUserGroups, list_user_groups),
            Rpc::PromoteGroupUsers => answer!(PromoteGroupUsers, promote_group_users),
            Rpc::DemoteGroupUsers => answer!(DemoteGroupUsers, demote_group_users),
            Rpc::UpdateGroup => answer!(UpdateGroup, update_group),
            Rpc::DeleteAccount => answer!(DeleteAccount, delete_account),
            Rpc::DeleteFriends => answer!(DeleteFriends, delete_friends),
            Rpc::DeleteNotifications => answer!(DeleteNotifications, delete_notifications),
            Rpc::GetAccount => answer!(GetAccount, get_account),
            Rpc::GetUsers => answer!(GetUsers, get_users),
            Rpc::Healthcheck => {
                let healthy = async |_: &Self, _: &Context, (): &()| Ok(());
                inbound.answer::<calls::Healthcheck>(self, context, healthy).boxed_local()
            }
            Rpc::DeleteLeaderboardRecord => {
                answer!(DeleteLeaderboardRecord, delete_leaderboard_record)
            }
            Rpc::DeleteTournamentRecord => {
                answer!(DeleteTournamentRecord, delete_tournament_record)
            }
            Rpc::JoinTournament => {
                answer!(JoinTournament, join_tournament)
            }
            Rpc::ListLeaderboardRecords => {
                answer!(ListLeaderboardRecords, list_leaderboard_records)
            }
            Rpc::ListLeaderboardRecordsAroundOwner => {
                answer!(ListLeaderboardRecordsAroundOwner, list_leaderboard_records_around_owner)
            }
            Rpc::ListTournaments => {
                answer!(ListTournaments, list_tournaments)
            }
            Rpc::ListTournamentRecords => {
                answer!(ListTournamentRecords, list_tournament_records)
            }
            Rpc::ListTournamentRecordsAroundOwner => {
                answer!(ListTournamentRecordsAroundOwner, list_tournament_records_around_owner)
            }
            Rpc::WriteLeaderboardRecord => {
                answer!(WriteLeaderboardRecord, write_leaderboard_record)
            }
            Rpc::WriteTournamentRecord => {
                answer!(WriteTournamentRecord, write_tournament_record)
            }
            Rpc::LinkCustom => answer!(LinkCustom, link_custom),
            Rpc::LinkDevice => answer!(LinkDevice, link_device),
            Rpc::LinkEmail => answer!(LinkEmail, link_email),
            Rpc::ListChannelMessages => answer!(ListChannelMessages, list_channel_messages),
            Rpc::ListFriends => answer!(ListFriends, list_friends),
            Rpc::ListFriendsOfFriends => {
                answer!(ListFriendsOfFriends, list_friends_of_friends)
            }
            Rpc::ListNotifications => answer!(ListNotifications, list_notifications),
            Rpc::DeleteStorageObjects => answer!(DeleteStorageObjects, delete_storage_objects),
            Rpc::ListStorageObjects => answer!(ListStorageObjects, list_storage_objects),
            Rpc::ReadStorageObjects => answer!(ReadStorageObjects, read_storage_objects),
            Rpc::WriteStorageObjects => answer!(WriteStorageObjects, write_storage_objects),
            Rpc::Event => answer!(Event, event),
            Rpc::UnlinkApple => answer!(UnlinkApple, unlink_apple),
            Rpc::UnlinkFacebook => answer!(UnlinkFacebook, unlink_facebook),
            Rpc::UnlinkFacebookInstantGame => {
                answer!(UnlinkFacebookInstantGame, unlink_facebook_instant_game)
            }
            Rpc::UnlinkGameCenter => answer!(UnlinkGameCenter, unlink_game_center),
            Rpc::UnlinkGoogle => answer!(UnlinkGoogle, unlink_google),
            Rpc::UnlinkSteam => answer!(UnlinkSteam, unlink_steam),
            Rpc::ListMatches => answer!(ListMatches, list_matches),
            Rpc::GetMatchmakerStats => answer!(GetMatchmakerStats, get_matchmaker_stats),
            Rpc::ListParties => answer!(ListParties, list_parties),
            Rpc::RpcFunc => answer!(RpcFunc, rpc_func),
            Rpc::UnlinkCustom => answer!(UnlinkCustom, unlink_custom),
            Rpc::UnlinkDevice => answer!(UnlinkDevice, unlink_device),
            Rpc::UnlinkEmail => answer!(UnlinkEmail, unlink_email),
            Rpc::UpdateAccount => answer!(UpdateAccount, update_account),
            Rpc::AuthenticateApple
            | Rpc::AuthenticateFacebook
            | Rpc::AuthenticateFacebookInstantGame
            | Rpc::AuthenticateGameCenter
            | Rpc::AuthenticateGoogle
            | Rpc::AuthenticateSteam
            | Rpc::GetSubscription
            | Rpc::ImportFacebookFriends
            | Rpc::ImportSteamFriends
            | Rpc::LinkApple
            | Rpc::LinkFacebook
            | Rpc::LinkFacebookInstantGame
            | Rpc::LinkGameCenter
            | Rpc::LinkGoogle
            | Rpc::LinkSteam
            | Rpc::ListSubscriptions
            | Rpc::ValidatePurchaseApple
            | Rpc::ValidateSubscriptionApple
            | Rpc::ValidatePurchaseGoogle
            | Rpc::ValidateSubscriptionGoogle
            | Rpc::ValidatePurchaseHuawei
            | Rpc::ValidatePurchaseFacebookInstant
            | Rpc::ValidatePurchaseSamsung => {
                ready(Err(Error::unimplemented(rpc.name()))).boxed_local()
            }
        }
    }
}
