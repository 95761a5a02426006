//! A tenant's own keys.

use http::Method;
use shared::api::requests::{CreateTenantKey, RevokeTenantKey, RotateTenantKey};
use shared::tenancy::Scope;
use utoipa::openapi::Required;

use super::{Operation, to};
use crate::errors;
use crate::parameters::tenant_key_in_path;
use crate::tags::Tag;

pub(super) fn all() -> [Operation; 4] {
    const ID: &str = "$response.body#/key/keyId";
    let path = "/api/keys";
    let list = Operation::new(Method::GET, path, "listTenantKeys", Tag::TenantKeys)
        .requires(Scope::Admin)
        .while_suspended()
        .says(
            "List the tenant's keys",
            "Without their values. Revoked keys are listed for 90 days.",
        )
        .answers(200, "The keys of the tenant.", "TenantKeyList");
    let create = Operation::new(Method::POST, path, "createTenantKey", Tag::TenantKeys)
        .requires(Scope::Admin)
        .says(
            "Create a tenant key",
            "The new key may do no more than the calling key: its scopes, networks and expiry are \
             within those of the calling key. The response returns the value once (again for ten \
             minutes under the same Idempotency-Key).",
        )
        .once()
        .body::<CreateTenantKey>(Required::True)
        .answers(201, "The key, with its value.", "TenantKeyMade")
        .fails(errors::new_tenant_key())
        .fails(errors::tenant_key_made())
        .leads([
            to("rotate", "rotateTenantKey", ("keyId", ID)),
            to("revoke", "revokeTenantKey", ("keyId", ID)),
        ]);
    let rotate = "/api/keys/{keyId}/rotate";
    let rotate = Operation::new(Method::POST, rotate, "rotateTenantKey", Tag::TenantKeys)
        .requires(Scope::Admin)
        .says(
            "Rotate a tenant key",
            "Creates a key with the same label, scopes, networks and expiry. The replaced key works \
             for overlapSeconds more.",
        )
        .once()
        .takes(tenant_key_in_path())
        .body::<RotateTenantKey>(Required::False)
        .answers(201, "The new key, with its value.", "TenantKeyMade")
        .fails(errors::rotated_tenant_key())
        .fails(errors::tenant_key_made())
        .fails(errors::tenant_key())
        .leads([to("revoke", "revokeTenantKey", ("keyId", ID))]);
    let one = "/api/keys/{keyId}";
    let revoke = Operation::new(Method::DELETE, one, "revokeTenantKey", Tag::TenantKeys)
        .requires(Scope::Admin)
        .while_suspended()
        .says(
            "Revoke a tenant key",
            "API Gateway refuses the key at once, and each function within 30 seconds. A revoked key \
             cannot be used again. To revoke the calling key, send force true.",
        )
        .once()
        .takes(tenant_key_in_path())
        .body::<RevokeTenantKey>(Required::False)
        .answers(200, "The key is revoked.", "TenantKeyRevoked")
        .fails(errors::revoked_tenant_key())
        .fails(errors::tenant_key());
    [list, create, rotate, revoke]
}
