//! A recovery of the cosigner's side, and the keys of a deployment.

use protocol::recovery::{OpeningKey, RecoveryKey, Side};
use protocol::{RecoveryAnswer, RecoveryCall};

use crate::cloud::Cloud;

/// Returns a new public recovery key of a side, as the template's parameter has it.
pub(super) fn key(side: Side) -> String {
    RecoveryKey { side, key: *OpeningKey::generate().unwrap().public() }.to_string()
}

/// Makes a transport key, and has the cosigner open it again.
pub(super) async fn begun(cloud: &Cloud) {
    let RecoveryAnswer::Begun(transport) = cloud.operate(RecoveryCall::Begin).await else {
        panic!("expected a transport key");
    };
    let call = RecoveryCall::Import { transport, halves: Vec::new() };
    let RecoveryAnswer::Imported(done) = cloud.operate(call).await else {
        panic!("expected an import");
    };
    assert!(done.is_empty());
}
