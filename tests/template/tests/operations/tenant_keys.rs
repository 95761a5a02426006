//! A tenant's own keys: made, listed, rotated and revoked, also by a request whose response is lost.

use http::Method;
use serde_json::json;

use super::erase_response;
use crate::cloud::Cloud;

/// The key that calls has every scope.
pub(super) async fn managed(cloud: &Cloud) {
    let at = (Method::POST, "/api/keys");
    let body = json!({ "label": "desk" });
    let made = cloud.send_twice("create-tenant-key", at.clone(), body.clone()).await;
    assert_eq!(made.0, 201, "{}", made.1["error"]);
    // The response is lost: its key is given up for another one.
    erase_response(cloud, "POST:/api/keys").await;
    let again = cloud.send_twice("create-tenant-key", at.clone(), body.clone()).await;
    assert_eq!(again.0, 201, "{}", again.1["error"]);
    assert_ne!(again.1["key"]["keyId"], made.1["key"]["keyId"]);
    let taken = cloud.send("create-tenant-key", at, Some(body)).await;
    assert_eq!(taken.0, 409, "{}", taken.1["error"]);

    let id = again.1["key"]["keyId"].as_str().unwrap();
    let path = format!("/api/keys/{id}/rotate");
    let overlap = json!({ "overlapSeconds": 60 });
    let rotated =
        cloud.send_twice("rotate-tenant-key", (Method::POST, &path), overlap.clone()).await;
    assert_eq!(rotated.0, 201, "{}", rotated.1["error"]);
    erase_response(cloud, &format!("POST:{path}")).await;
    let rotated = cloud.send_twice("rotate-tenant-key", (Method::POST, &path), overlap).await;
    assert_eq!(rotated.0, 201, "{}", rotated.1["error"]);

    let (status, listed) = cloud.send("list-tenant-keys", (Method::GET, "/api/keys"), None).await;
    assert!(status == 200 && listed["keys"].as_array().unwrap().len() == 5, "{listed}");
    let path = format!("/api/keys/{}", rotated.1["key"]["keyId"].as_str().unwrap());
    let gone = cloud.send_twice("revoke-tenant-key", (Method::DELETE, &path), json!({})).await;
    assert_eq!(gone.0, 200, "{gone:?}");
    let nobody = (Method::DELETE, "/api/keys/nobody");
    assert_eq!(cloud.send("revoke-tenant-key", nobody, None).await.0, 404);
}

/// The renewal job, invoked to remove the agents of a tenant.
pub(super) async fn contained(cloud: &Cloud) {
    let event = json!({ "revokeTradingKeysOf": "local" });
    let done = cloud.run_for("renew-apikeys", &event).await;
    assert!(done["wallets"].as_u64() > Some(0), "{done}");
}
