//! A request line, a query and a body, as a hostile HTTP client sends them to every call.
#![no_main]

use kakera_proto::{
    api,
    routes::{Matched, Routed, Rpc, Service},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &str, &str, &[u8])| {
    let (method, path, query, body) = input;
    let method = ["GET", "POST", "PUT", "DELETE", "PATCH"][usize::from(method) % 5];
    if let Routed::Call(matched) = Rpc::route(method, path) {
        let matched: Matched<Rpc> = matched;
        for parameter in matched.parameters() {
            assert!(parameter.len() <= path.len());
        }
        // The types differ in every kind of field that a request can hold.
        let _ = matched.decode::<api::AuthenticateDeviceRequest>(query, body);
        let _ = matched.decode::<api::ListFriendsRequest>(query, body);
        let _ = matched.decode::<api::WriteStorageObjectsRequest>(query, body);
        let _ = matched.decode::<api::ListLeaderboardRecordsRequest>(query, body);
    }
});
