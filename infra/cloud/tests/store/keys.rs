//! The cache of data keys with the embedded KMS.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use domain::clock::Clock;
use domain::ids::{Exchange, Tenant};
use domain::random::Random;
use hyperdex_cloud::kms::{self, Kms};
use hyperdex_cloud::names::WALLETS_KEY;
use hyperdex_listen::Stop;
use platform::aws::Aws;
use platform::envelope::{Context, Envelope, EnvelopeError, KeyCache, Purpose};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::table::{NOW_MS, WALLET};

struct Served {
    envelope: Envelope,
    decryptions: Arc<AtomicUsize>,
    _stop: watch::Sender<bool>,
    _folder: TempDir,
}

impl Served {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, random) = (Clock::system(), Random::system());
        let (service, _) = Kms::open(folder.path().join("kms.json"), &clock, &random).unwrap();
        let signer = kms::open_signer(&folder.path().join("signer.der")).unwrap();
        let decryptions = Arc::new(AtomicUsize::new(0));
        let counted = decryptions.clone();
        let count = from_fn(move |request: Request, next: Next| {
            let target = request.headers().get("x-amz-target");
            if target.is_some_and(|target| target == "TrentService.Decrypt") {
                counted.fetch_add(1, Ordering::SeqCst);
            }
            next.run(request)
        });
        let ip = Ipv4Addr::LOCALHOST.into();
        let listener = hyperdex_listen::bind("KMS", ip, 0).await.unwrap();
        let url = hyperdex_listen::url(&listener);
        let (sender, stop) = Stop::new();
        hyperdex_listen::serve(listener, kms::router(Arc::new(service), signer).layer(count), stop);
        let aws = Aws::local(&url, &url, &url);
        kms::create_key(&aws.kms(), WALLETS_KEY).await.unwrap();
        let envelope = Envelope::new(aws.kms(), WALLETS_KEY, random);
        Self { envelope, decryptions, _stop: sender, _folder: folder }
    }

    fn decryptions(&self) -> usize {
        self.decryptions.load(Ordering::SeqCst)
    }
}

fn context(version: &str) -> Context {
    Context {
        tenant: Tenant::local(),
        wallet_id: WALLET,
        purpose: Purpose::AgentKey,
        exchange: Some(Exchange::Aster),
        version: version.to_owned(),
    }
}

#[tokio::test]
async fn cached_data_key_is_unwrapped_once_in_its_time() {
    let served = Served::new().await;
    let sealed = served.envelope.seal(context("a"), b"secret").await.unwrap();
    let cache = KeyCache::new(60_000);
    let about = context("a");
    let open = |now_ms| served.envelope.open_cached(&cache, &about, &sealed, now_ms);
    for now_ms in [NOW_MS, NOW_MS + 1, NOW_MS + 59_999] {
        let pass = open(now_ms).await.unwrap();
        assert_eq!((pass.as_slice(), served.decryptions()), (b"secret".as_slice(), 1));
    }
    open(NOW_MS + 60_000).await.unwrap();
    assert_eq!(served.decryptions(), 2);
    let disabled = KeyCache::new(0);
    for before in 2..4 {
        assert_eq!(served.decryptions(), before);
        served.envelope.open_cached(&disabled, &about, &sealed, NOW_MS).await.unwrap();
    }
}

#[tokio::test]
async fn cached_data_key_does_not_open_for_another_record() {
    let served = Served::new().await;
    let sealed = served.envelope.seal(context("a"), b"secret").await.unwrap();
    let cache = KeyCache::new(60_000);
    served.envelope.open_cached(&cache, &context("a"), &sealed, NOW_MS).await.unwrap();
    let other = served.envelope.open_cached(&cache, &context("b"), &sealed, NOW_MS).await;
    assert!(matches!(other, Err(EnvelopeError::Lost(_))), "{other:?}");
    // A key that opens nothing does not enter the cache.
    served.envelope.open_cached(&cache, &context("b"), &sealed, NOW_MS).await.unwrap_err();
    assert_eq!(served.decryptions(), 3);
}
