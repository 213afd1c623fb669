//! Every call of the service and who answers it.

use bytes::Bytes;
use kakera_proto::routes::{Rpc, Service, calls};

use super::{Api, Context, call::Inbound};
use crate::error::Error;

impl Api {
    /// Answers a call whose caller has been let in.
    pub(super) async fn dispatch(
        &self,
        rpc: Rpc,
        context: &Context,
        inbound: Inbound<'_>,
    ) -> Result<Bytes, Error> {
        match rpc {
            Rpc::Healthcheck => {
                inbound.answer::<calls::Healthcheck>(context, async |()| Ok(())).await
            }
            Rpc::SessionRefresh => {
                inbound
                    .answer::<calls::SessionRefresh>(context, async |request| {
                        self.session_refresh(request).await
                    })
                    .await
            }
            Rpc::SessionLogout => {
                inbound
                    .answer::<calls::SessionLogout>(context, async |request| {
                        self.session_logout(context, request).await
                    })
                    .await
            }
            Rpc::AuthenticateCustom => {
                inbound
                    .answer::<calls::AuthenticateCustom>(context, async |request| {
                        self.authenticate_custom(request).await
                    })
                    .await
            }
            Rpc::AuthenticateDevice => {
                inbound
                    .answer::<calls::AuthenticateDevice>(context, async |request| {
                        self.authenticate_device(request).await
                    })
                    .await
            }
            Rpc::AuthenticateEmail => {
                inbound
                    .answer::<calls::AuthenticateEmail>(context, async |request| {
                        self.authenticate_email(request).await
                    })
                    .await
            }
            Rpc::DeleteAccount => {
                inbound
                    .answer::<calls::DeleteAccount>(context, async |()| {
                        self.delete_account(context).await
                    })
                    .await
            }
            Rpc::GetAccount => {
                inbound
                    .answer::<calls::GetAccount>(context, async |()| {
                        self.get_account(context).await
                    })
                    .await
            }
            Rpc::GetUsers => {
                inbound
                    .answer::<calls::GetUsers>(context, async |request| {
                        self.get_users(request).await
                    })
                    .await
            }
            Rpc::LinkCustom => {
                inbound
                    .answer::<calls::LinkCustom>(context, async |request| {
                        self.link_custom(context, request).await
                    })
                    .await
            }
            Rpc::LinkDevice => {
                inbound
                    .answer::<calls::LinkDevice>(context, async |request| {
                        self.link_device(context, request).await
                    })
                    .await
            }
            Rpc::LinkEmail => {
                inbound
                    .answer::<calls::LinkEmail>(context, async |request| {
                        self.link_email(context, request).await
                    })
                    .await
            }
            Rpc::RpcFunc => {
                inbound
                    .answer::<calls::RpcFunc>(context, async |request| {
                        self.rpc_func(context, request).await
                    })
                    .await
            }
            Rpc::UnlinkCustom => {
                inbound
                    .answer::<calls::UnlinkCustom>(context, async |request| {
                        self.unlink_custom(context, request).await
                    })
                    .await
            }
            Rpc::UnlinkDevice => {
                inbound
                    .answer::<calls::UnlinkDevice>(context, async |request| {
                        self.unlink_device(context, request).await
                    })
                    .await
            }
            Rpc::UnlinkEmail => {
                inbound
                    .answer::<calls::UnlinkEmail>(context, async |request| {
                        self.unlink_email(context, request).await
                    })
                    .await
            }
            Rpc::UpdateAccount => {
                inbound
                    .answer::<calls::UpdateAccount>(context, async |request| {
                        self.update_account(context, request).await
                    })
                    .await
            }
            Rpc::AddFriends
            | Rpc::AddGroupUsers
            | Rpc::AuthenticateApple
            | Rpc::AuthenticateFacebook
            | Rpc::AuthenticateFacebookInstantGame
            | Rpc::AuthenticateGameCenter
            | Rpc::AuthenticateGoogle
            | Rpc::AuthenticateSteam
            | Rpc::BanGroupUsers
            | Rpc::BlockFriends
            | Rpc::CreateGroup
            | Rpc::DeleteFriends
            | Rpc::DeleteGroup
            | Rpc::DeleteLeaderboardRecord
            | Rpc::DeleteNotifications
            | Rpc::DeleteTournamentRecord
            | Rpc::DeleteStorageObjects
            | Rpc::Event
            | Rpc::GetSubscription
            | Rpc::GetMatchmakerStats
            | Rpc::ImportFacebookFriends
            | Rpc::ImportSteamFriends
            | Rpc::JoinGroup
            | Rpc::JoinTournament
            | Rpc::KickGroupUsers
            | Rpc::LeaveGroup
            | Rpc::LinkApple
            | Rpc::LinkFacebook
            | Rpc::LinkFacebookInstantGame
            | Rpc::LinkGameCenter
            | Rpc::LinkGoogle
            | Rpc::LinkSteam
            | Rpc::ListChannelMessages
            | Rpc::ListFriends
            | Rpc::ListFriendsOfFriends
            | Rpc::ListGroups
            | Rpc::ListGroupUsers
            | Rpc::ListLeaderboardRecords
            | Rpc::ListLeaderboardRecordsAroundOwner
            | Rpc::ListMatches
            | Rpc::ListParties
            | Rpc::ListNotifications
            | Rpc::ListStorageObjects
            | Rpc::ListSubscriptions
            | Rpc::ListTournaments
            | Rpc::ListTournamentRecords
            | Rpc::ListTournamentRecordsAroundOwner
            | Rpc::ListUserGroups
            | Rpc::PromoteGroupUsers
            | Rpc::DemoteGroupUsers
            | Rpc::ReadStorageObjects
            | Rpc::UnlinkApple
            | Rpc::UnlinkFacebook
            | Rpc::UnlinkFacebookInstantGame
            | Rpc::UnlinkGameCenter
            | Rpc::UnlinkGoogle
            | Rpc::UnlinkSteam
            | Rpc::UpdateGroup
            | Rpc::ValidatePurchaseApple
            | Rpc::ValidateSubscriptionApple
            | Rpc::ValidatePurchaseGoogle
            | Rpc::ValidateSubscriptionGoogle
            | Rpc::ValidatePurchaseHuawei
            | Rpc::ValidatePurchaseFacebookInstant
            | Rpc::ValidatePurchaseSamsung
            | Rpc::WriteLeaderboardRecord
            | Rpc::WriteStorageObjects
            | Rpc::WriteTournamentRecord => Err(Error::unimplemented(rpc.name())),
        }
    }
}
