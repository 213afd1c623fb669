//! Events of the game.

use futures_util::future::{Ready, ready};
use kakera_proto::api;

use super::{Api, Context};
use crate::error::Error;

impl Api {
    /// Accepts an event. It goes to the script runtime's function for events, once there is one; where no
    /// script has registered one, the reference drops events as well.
    pub(super) fn event(
        _: &Self,
        context: &Context,
        event: &api::Event,
    ) -> Ready<Result<(), Error>> {
        ready(context.player().map(|session| {
            tracing::debug!(uid = %session.user_id, name = event.name, "no script takes this event");
        }))
    }
}
