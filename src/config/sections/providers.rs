//! Sections of other companies' services: sign-in, purchases, Satori.

use super::section;
use crate::config::types::{SatoriCacheMode, Secret};

/// Sign-in with other companies' accounts.
#[derive(Clone, Debug)]
pub struct Social {
    pub steam: Steam,
    pub facebook_instant_game: FacebookInstantGame,
    pub facebook_limited_login: FacebookLimitedLogin,
    pub apple: Apple,
}

impl Social {
    pub(in crate::config) fn declared() -> Self {
        Self {
            steam: Steam::declared(),
            facebook_instant_game: FacebookInstantGame::declared(),
            facebook_limited_login: FacebookLimitedLogin::declared(),
            apple: Apple::declared(),
        }
    }
}

section! {
    /// Sign-in with Steam.
    Steam at "social.steam." [social.steam] {
        /// Publisher key of the game.
        publisher_key: Secret = Secret::default(), not_built("sign-in with Steam");
        /// App id of the game.
        app_id: u32 = 0, not_built("sign-in with Steam");
    }
}

section! {
    /// Sign-in with Facebook Instant Games.
    FacebookInstantGame at "social.facebook_instant_game." [social.facebook_instant_game] {
        /// Secret of the app.
        app_secret: Secret = Secret::default(), not_built("sign-in with Facebook");
    }
}

section! {
    /// Sign-in with Facebook Limited Login.
    FacebookLimitedLogin at "social.facebook_limited_login." [social.facebook_limited_login] {
        /// Id of the app.
        app_id: String = String::new(), not_built("sign-in with Facebook");
    }
}

section! {
    /// Sign-in with Apple.
    Apple at "social.apple." [social.apple] {
        /// Bundle id of the app.
        bundle_id: String = String::new(), not_built("sign-in with Apple");
    }
}

/// Validation of purchases in apps.
#[derive(Clone, Debug)]
pub struct Iap {
    pub apple: IapApple,
    pub google: IapGoogle,
    pub huawei: IapHuawei,
    pub facebook_instant: IapFacebookInstant,
    pub samsung: IapSamsung,
}

impl Iap {
    pub(in crate::config) fn declared() -> Self {
        Self {
            apple: IapApple::declared(),
            google: IapGoogle::declared(),
            huawei: IapHuawei::declared(),
            facebook_instant: IapFacebookInstant::declared(),
            samsung: IapSamsung::declared(),
        }
    }
}

section! {
    /// Apple's App Store.
    IapApple at "iap.apple." [iap.apple] {
        /// Shared password of the app, for subscriptions.
        shared_password: Secret = Secret::default(), not_built("purchase validation");
        /// Last part of the path that Apple's notifications come to.
        notifications_endpoint_id: Secret = Secret::default(), not_built("purchase validation");
    }
}

section! {
    /// Google Play.
    IapGoogle at "iap.google." [iap.google] {
        /// Mail address of the service account.
        client_email: String = String::new(), not_built("purchase validation");
        /// Private key of the service account.
        private_key: Secret = Secret::default(), not_built("purchase validation");
        /// Last part of the path that Google's notifications come to.
        notifications_endpoint_id: Secret = Secret::default(), not_built("purchase validation");
        /// Minutes between looks for refunds.
        refund_check_period_min: u32 = 0, ignored("Google's notifications tell of refunds");
        /// Package of the app.
        package_name: String = String::new(), ignored("Google's notifications name the package");
    }
}

section! {
    /// Huawei's app store.
    IapHuawei at "iap.huawei." [iap.huawei] {
        /// Public key of the app, in Base64.
        public_key: String = String::new(), not_built("purchase validation");
        /// Client id of the app.
        client_id: String = String::new(), not_built("purchase validation");
        /// Client secret of the app.
        client_secret: Secret = Secret::default(), not_built("purchase validation");
    }
}

section! {
    /// Facebook Instant Games.
    IapFacebookInstant at "iap.facebook_instant." [iap.facebook_instant] {
        /// Secret of the app.
        app_secret: Secret = Secret::default(), not_built("purchase validation");
    }
}

section! {
    /// Samsung's Galaxy Store.
    IapSamsung at "iap.samsung." [iap.samsung] {
        /// Package that receipts must name. Empty takes any.
        package_name: String = String::new(), not_built("purchase validation");
    }
}

section! {
    /// Sign-in with Google.
    GoogleAuth at "google_auth." [google_auth] {
        /// OAuth client credentials, as Google's JSON.
        credentials_json: Secret = Secret::default(), not_built("sign-in with Google");
    }
}

section! {
    /// Satori, the live operations service.
    Satori at "satori." [satori] {
        /// Address of the service.
        url: String = String::new(), not_built("the Satori client");
        /// Name of the API key.
        api_key_name: String = String::new(), not_built("the Satori client");
        /// The API key.
        api_key: Secret = Secret::default(), not_built("the Satori client");
        /// Key that signs Satori's session tokens.
        signing_key: Secret = Secret::default(), not_built("the Satori client");
        /// Turns the cache on.
        cache_enabled: bool = false, ignored("the cache is on unless satori.cache_disabled");
        /// Turns the cache off.
        cache_disabled: bool = false, not_built("the Satori client");
        /// Whether answers are kept for a request or for a time.
        cache_mode: SatoriCacheMode = SatoriCacheMode::Context, not_built("the Satori client");
        /// How long answers are kept in the mode `time`, in seconds.
        cache_ttl_sec: u32 = 300, at_least(1), not_built("the Satori client");
        /// Longest time for a request, in milliseconds.
        http_timeout_ms: u32 = 10_000, at_least(1), not_built("the Satori client");
        /// Server key of Satori.
        server_key: Secret = Secret::default(), not_built("the Satori client");
        /// Further attempts when a request fails. At most 3.
        retry_count: u32 = 0, at_most(3), not_built("the Satori client");
    }
}
