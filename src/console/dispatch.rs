//! Every call of the console's service and who answers it.

use bytes::Bytes;
use futures_util::future::{FutureExt, LocalBoxFuture, ready};
use kakera_proto::routes::{ConsoleRpc, Matched, Service, console_calls as calls};

use super::{Console, Operator, call::Inbound};
use crate::{error::Error, net::Request};

impl Console {
    /// Answers a call whose caller has been let in.
    #[allow(clippy::too_many_lines)] // One arm for each call.
    pub(super) fn dispatch<'a>(
        &'a self,
        matched: &'a Matched<'a, ConsoleRpc>,
        operator: &'a Operator,
        request: &'a Request,
    ) -> LocalBoxFuture<'a, Result<Bytes, Error>> {
        let inbound = Inbound { matched, request };
        macro_rules! answer {
            ($call:ident, $handler:ident) => {
                inbound.answer::<calls::$call>(self, operator, Self::$handler).boxed_local()
            };
        }
        match matched.rpc {
            ConsoleRpc::Authenticate => answer!(Authenticate, authenticate),
            ConsoleRpc::AuthenticateLogout => answer!(AuthenticateLogout, authenticate_logout),
            ConsoleRpc::BanAccount => answer!(BanAccount, ban_account),
            ConsoleRpc::DeleteAccount => answer!(DeleteAccount, delete_account),
            ConsoleRpc::GetAccount => answer!(GetAccount, get_account),
            ConsoleRpc::DeleteLeaderboard => answer!(DeleteLeaderboard, delete_leaderboard),
            ConsoleRpc::DeleteLeaderboardRecord => {
                answer!(DeleteLeaderboardRecord, delete_leaderboard_record)
            }
            ConsoleRpc::GetLeaderboard => answer!(GetLeaderboard, get_leaderboard),
            ConsoleRpc::ListLeaderboardRecords => {
                answer!(ListLeaderboardRecords, list_leaderboard_records)
            }
            ConsoleRpc::ListLeaderboards => answer!(ListLeaderboards, list_leaderboards),
            ConsoleRpc::DeleteStorage => answer!(DeleteStorage, delete_storage),
            ConsoleRpc::DeleteStorageObject => answer!(DeleteStorageObject, delete_storage_object),
            ConsoleRpc::GetStorage => answer!(GetStorage, get_storage),
            ConsoleRpc::ListStorage => answer!(ListStorage, list_storage),
            ConsoleRpc::ListStorageCollections => {
                answer!(ListStorageCollections, list_storage_collections)
            }
            ConsoleRpc::WriteStorageObject => answer!(WriteStorageObject, write_storage_object),
            ConsoleRpc::DeleteNotification => answer!(DeleteNotification, delete_notification),
            ConsoleRpc::GetNotification => answer!(GetNotification, get_notification),
            ConsoleRpc::ListNotifications => answer!(ListNotifications, list_notifications),
            ConsoleRpc::SendNotification => answer!(SendNotification, send_notification),
            ConsoleRpc::DeleteWalletLedger => answer!(DeleteWalletLedger, delete_wallet_ledger),
            ConsoleRpc::ExportAccount => answer!(ExportAccount, export_account),
            ConsoleRpc::GetWalletLedger => answer!(GetWalletLedger, get_wallet_ledger),
            ConsoleRpc::ImportAccount => answer!(ImportAccount, import_account),
            ConsoleRpc::ImportAccountFull => answer!(ImportAccountFull, import_account_full),
            ConsoleRpc::ListAccounts => answer!(ListAccounts, list_accounts),
            ConsoleRpc::UnlinkApple => answer!(UnlinkApple, unlink_apple),
            ConsoleRpc::UnlinkCustom => answer!(UnlinkCustom, unlink_custom),
            ConsoleRpc::UnlinkDevice => answer!(UnlinkDevice, unlink_device),
            ConsoleRpc::UnlinkEmail => answer!(UnlinkEmail, unlink_email),
            ConsoleRpc::UnlinkFacebook => answer!(UnlinkFacebook, unlink_facebook),
            ConsoleRpc::UnlinkFacebookInstantGame => {
                answer!(UnlinkFacebookInstantGame, unlink_facebook_instant_game)
            }
            ConsoleRpc::UnlinkGameCenter => answer!(UnlinkGameCenter, unlink_game_center),
            ConsoleRpc::UnlinkGoogle => answer!(UnlinkGoogle, unlink_google),
            ConsoleRpc::UnlinkSteam => answer!(UnlinkSteam, unlink_steam),
            ConsoleRpc::UpdateAccount => answer!(UpdateAccount, update_account),
            ConsoleRpc::UnbanAccount => answer!(UnbanAccount, unban_account),
            ConsoleRpc::AuthenticateMfaSetup
            | ConsoleRpc::AuthenticatePasswordChange
            | ConsoleRpc::AddAccountNote
            | ConsoleRpc::ListAccountNotes
            | ConsoleRpc::AddAclTemplate
            | ConsoleRpc::UpdateAclTemplate
            | ConsoleRpc::ListAclTemplates
            | ConsoleRpc::DeleteAclTemplate
            | ConsoleRpc::DeleteAccountNote
            | ConsoleRpc::AddUser
            | ConsoleRpc::ResetUserPassword
            | ConsoleRpc::AddGroupUsers
            | ConsoleRpc::CallApiEndpoint
            | ConsoleRpc::CallRpcEndpoint
            | ConsoleRpc::DeleteAllData
            | ConsoleRpc::DeleteChannelMessages
            | ConsoleRpc::DeleteFriend
            | ConsoleRpc::DeleteGroup
            | ConsoleRpc::DeleteGroupUser
            | ConsoleRpc::DeleteAccounts
            | ConsoleRpc::DeleteUser
            | ConsoleRpc::DemoteGroupMember
            | ConsoleRpc::ExportGroup
            | ConsoleRpc::GetConfig
            | ConsoleRpc::GetFriends
            | ConsoleRpc::GetGroup
            | ConsoleRpc::GetMembers
            | ConsoleRpc::GetGroups
            | ConsoleRpc::GetMatchState
            | ConsoleRpc::GetRuntime
            | ConsoleRpc::GetSetting
            | ConsoleRpc::GetStatus
            | ConsoleRpc::GetUser
            | ConsoleRpc::GetPurchase
            | ConsoleRpc::GetSubscription
            | ConsoleRpc::ListAuditLogs
            | ConsoleRpc::ListAuditLogsUsers
            | ConsoleRpc::ListApiEndpoints
            | ConsoleRpc::ListSettings
            | ConsoleRpc::ListChannelMessages
            | ConsoleRpc::ListGroups
            | ConsoleRpc::ListMatches
            | ConsoleRpc::ListPurchases
            | ConsoleRpc::ListSubscriptions
            | ConsoleRpc::ListUsers
            | ConsoleRpc::PromoteGroupMember
            | ConsoleRpc::RequireUserMfa
            | ConsoleRpc::ResetUserMfa
            | ConsoleRpc::UpdateGroup
            | ConsoleRpc::UpdateSetting
            | ConsoleRpc::UpdateUser
            | ConsoleRpc::SatoriListTemplates
            | ConsoleRpc::SatoriSendDirectMessage
            | ConsoleRpc::RegisteredExtensions => {
                ready(Err(Error::unimplemented(matched.rpc.name()))).boxed_local()
            }
        }
    }
}
