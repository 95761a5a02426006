//! KMS, DynamoDB and SQS, with the keys, the tables and the queue that the functions expect. They
//! are embedded, or DynamoDB and KMS are external engines.

use std::sync::Arc;

use hyperdex_cloud::dynamodb;
use hyperdex_cloud::engines::Engines;
use hyperdex_cloud::kms::{self, Kms};
use hyperdex_cloud::names::{
    COSIGNER_KEY, COSIGNER_RECOVERY_TABLE, COSIGNER_TABLE, RECOVERY_TABLE, SEALS_TABLE,
    WALLETS_KEY, WALLETS_TABLE,
};
use hyperdex_cloud::queue::{self, Queue};
use hyperdex_cloud::stream::{self, EngineStream, Source};
use hyperdex_listen::{Stop, bind, serve, url};
use platform::aws::Aws;
use seal_audit::INDEX;
use shared::store::IndexShape;
use tokio::task::JoinHandle;

use crate::data::{self, Directory};
use crate::error::StartError;
use crate::health::{Health, SealingKeys};
use crate::options::Options;

/// Index of the heads of the audit log's chains, by the day of their last record.
pub const HEADS: IndexShape = IndexShape {
    name: INDEX,
    partition: "shard",
    sort: "sealDay",
    sorts_numbers: true,
    holds: &["seq", "hash"],
};

/// The running KMS, DynamoDB and SQS.
pub(crate) struct Cloud {
    pub(crate) kms: String,
    pub(crate) dynamodb: String,
    pub(crate) source: Source,
    /// Cause if the table's stream is unavailable.
    pub(crate) webhooks_off: Option<String>,
    pub(crate) sqs: String,
    pub(crate) queue: Queue,
    pub(crate) health: Health,
}

impl Cloud {
    /// Starts the embedded engines, and prepares the external ones.
    pub(crate) async fn start(
        options: &Options,
        directory: &Directory,
        servers: &mut Vec<JoinHandle<()>>,
        stop: &Stop,
    ) -> Result<Self, StartError> {
        match &options.engines {
            None => Self::embedded(options, directory, servers, stop).await,
            Some(engines) => Self::external(options, engines, directory, servers, stop).await,
        }
    }

    async fn embedded(
        options: &Options,
        directory: &Directory,
        servers: &mut Vec<JoinHandle<()>>,
        stop: &Stop,
    ) -> Result<Self, StartError> {
        let keys = options.data_dir.join(data::KMS_KEYS);
        let data = options.data_dir.join(data::DATABASE);
        let listener = bind("KMS", options.ip, options.ports.kms).await?;
        let kms = url(&listener);
        let (service, earlier) = Kms::open(keys, &options.clock, &options.random)?;
        let service = Arc::new(service);
        directory.check_keys(&service)?;
        directory.begin()?;
        if earlier {
            // Save before anything is sealed: an earlier version of the program cannot open what is
            // sealed from now on.
            service.save()?;
        }
        let signer = kms::open_signer(&options.data_dir.join(data::AUDIT_KEY_FILE))?;
        let public = kms::public_half(&signer);
        directory.check_audit_key(&public)?;
        kms::publish(&options.data_dir.join(data::AUDIT_KEY_FILE), &public)?;
        servers.push(serve(listener, kms::router(service.clone(), signer), stop.clone()));
        let listener = bind("DynamoDB", options.ip, options.ports.dynamodb).await?;
        let dynamodb = url(&listener);

        let aws = Aws::local(&dynamodb, &kms, "");
        if directory.may_make_keys() {
            for alias in [WALLETS_KEY, COSIGNER_KEY] {
                kms::create_key(&aws.kms(), alias).await?;
            }
        }
        let database = dynamodb::open(&data)?;
        stream::index(&data)?;
        servers.push(dynamodb::serve_with_conflicts(
            listener,
            database.clone(),
            &data,
            stop.clone(),
        ));
        create_tables(&aws).await?;
        if options.stream {
            dynamodb::keep_stream(&aws.dynamodb(), WALLETS_TABLE).await?;
        }
        let (sqs, queue) = start_queue(options, servers, stop).await?;
        let identity = directory.settle(&service, &aws, &public).await?;
        let health = Health::new(options, identity, SealingKeys::Own(service));
        let source = Source::Embedded(database, data);
        Ok(Self { kms, dynamodb, source, webhooks_off: None, sqs, queue, health })
    }

    async fn external(
        options: &Options,
        engines: &Engines,
        directory: &Directory,
        servers: &mut Vec<JoinHandle<()>>,
        stop: &Stop,
    ) -> Result<Self, StartError> {
        let Engines { dynamodb, kms, .. } = engines.clone();
        let aws = options.aws(&dynamodb, &kms, "");
        directory.check_engines(engines, &aws).await?;
        directory.begin()?;
        let public = engines.prepare_keys(&aws, directory.may_make_keys()).await?;
        directory.check_audit_key(&public)?;
        kms::publish(&options.data_dir.join(data::AUDIT_KEY_FILE), &public)?;
        create_tables(&aws).await?;
        let stream = match dynamodb::keep_stream(&aws.dynamodb(), WALLETS_TABLE).await {
            Ok(()) => EngineStream::open(engines, &aws, &options.clock).await?,
            Err(error) => Err(error.to_string()),
        };
        let (source, webhooks_off) = match stream {
            Ok(stream) => (Source::Engine(stream), None),
            Err(cause) => {
                tracing::warn!(cause, "webhooks are disabled: the engine has no stream");
                (Source::Off, Some(cause))
            }
        };
        let (sqs, queue) = start_queue(options, servers, stop).await?;
        let identity = directory.settle_engines(engines, &aws, &public).await?;
        let keys = SealingKeys::External(engines.clone(), Box::new(aws));
        let health = Health::new(options, identity, keys);
        Ok(Self { kms, dynamodb, source, webhooks_off, sqs, queue, health })
    }
}

/// Creates the tables with their indexes, as in the template.
async fn create_tables(aws: &Aws) -> Result<(), StartError> {
    let (client, ttl) = (aws.dynamodb(), Some("expiresAtS"));
    dynamodb::create_table(&client, WALLETS_TABLE, ttl, &IndexShape::all()).await?;
    dynamodb::create_table(&client, COSIGNER_TABLE, ttl, &[HEADS]).await?;
    for table in [SEALS_TABLE, RECOVERY_TABLE, COSIGNER_RECOVERY_TABLE] {
        dynamodb::create_table(&client, table, None, &[]).await?;
    }
    Ok(())
}

async fn start_queue(
    options: &Options,
    servers: &mut Vec<JoinHandle<()>>,
    stop: &Stop,
) -> Result<(String, Queue), StartError> {
    let listener = bind("SQS", options.ip, options.ports.sqs).await?;
    let sqs = url(&listener);
    let (clock, random) = (options.clock.clone(), options.random.clone());
    let queue = Queue::open(&options.data_dir.join(data::QUEUE), clock, random)?;
    servers.push(serve(listener, queue::router(queue.clone()), stop.clone()));
    Ok((sqs, queue))
}
