//! The keys, one file per part of the tree. Each is declared once, by [`section!`].

mod database;
mod features;
mod flood;
mod providers;
mod root;
mod runtime;
mod socket;

pub use database::Database;
pub use features::{
    Console, ConsoleMfa, Leaderboard, Match, Matchmaker, Mfa, Party, Storage, Tracker,
};
pub use flood::Flood;
pub use providers::{
    Apple, FacebookInstantGame, FacebookLimitedLogin, GoogleAuth, Iap, IapApple,
    IapFacebookInstant, IapGoogle, IapHuawei, IapSamsung, Satori, Social, Steam,
};
pub use root::{Config, Logger, Metrics, Session};
pub use runtime::Runtime;
pub use socket::Socket;

use super::key::Key;

/// Declares a struct of the tree and the keys that fill it.
///
/// ```text
/// section! {
///     /// What the section is about.
///     Name at "path.in.yaml." [path.in.tree] {
///         /// What the key sets, its unit and bounds.
///         field: Type = default, rule(argument), rule;
///     }
///     with { child: ChildSection }
/// }
/// ```
macro_rules! section {
    (
        $(#[$meta:meta])*
        $name:ident at $prefix:literal [$($at:ident).*] {
            $($(#[doc = $doc:literal])+ $field:ident : $ty:ty = $default:expr $(, $rule:ident $(($arg:expr))?)*;)*
        }
        $(with { $($child:ident : $child_ty:ty),* $(,)? })?
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: $ty,)*
            $($(pub $child: $child_ty,)*)?
        }

        impl $name {
            /// Its values as declared.
            pub(in crate::config) fn declared() -> Self {
                Self {
                    $($field: $default,)*
                    $($($child: <$child_ty>::declared(),)*)?
                }
            }

            #[allow(clippy::explicit_auto_deref)] // The root has no path, so it needs the star.
            fn of(config: &$crate::config::Config) -> &Self {
                &(*config)$(.$at)*
            }

            #[allow(clippy::explicit_auto_deref)]
            fn of_mut(config: &mut $crate::config::Config) -> &mut Self {
                &mut (*config)$(.$at)*
            }

            pub(super) const KEYS: &[$crate::config::key::Key] = &[$(
                $crate::config::key::Key {
                    path: concat!($prefix, stringify!($field)),
                    kind: <$ty as $crate::config::value::Setting>::KIND,
                    secret: <$ty as $crate::config::value::Setting>::SECRET,
                    choices: <$ty as $crate::config::value::Setting>::CHOICES,
                    doc: concat!($($doc),+),
                    rule: $crate::config::key::Rule::NONE $(.$rule($($arg)?))*,
                    default: || {
                        let value: $ty = $default;
                        $crate::config::value::Setting::value(&value)
                    },
                    value: |config| $crate::config::value::Setting::value(&Self::of(config).$field),
                    shown: |config| $crate::config::value::Setting::shown(&Self::of(config).$field),
                    set: |config, value| {
                        $crate::config::value::Setting::take(&mut Self::of_mut(config).$field, value)
                    },
                },
            )*];
        }
    };
}
use section;

/// All keys by section, in the order of help and `check`.
pub(super) static ALL: &[&[Key]] = &[
    Config::KEYS,
    Logger::KEYS,
    Metrics::KEYS,
    Session::KEYS,
    Socket::KEYS,
    Flood::KEYS,
    Database::KEYS,
    Steam::KEYS,
    FacebookInstantGame::KEYS,
    FacebookLimitedLogin::KEYS,
    Apple::KEYS,
    Runtime::KEYS,
    Match::KEYS,
    Tracker::KEYS,
    Console::KEYS,
    ConsoleMfa::KEYS,
    Leaderboard::KEYS,
    Matchmaker::KEYS,
    IapApple::KEYS,
    IapGoogle::KEYS,
    IapHuawei::KEYS,
    IapFacebookInstant::KEYS,
    IapSamsung::KEYS,
    GoogleAuth::KEYS,
    Satori::KEYS,
    Storage::KEYS,
    Mfa::KEYS,
    Party::KEYS,
];
