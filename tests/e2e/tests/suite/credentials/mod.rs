//! Tests trading keys from registration to removal, and the scheduled jobs that maintain them.

mod agents;
mod builders;
mod containment;
mod expiry;
mod jobs;
mod key_delivery;
mod lifecycle;
mod registration;
