//! Tests trading keys from registration to removal, and the scheduled jobs that maintain them.

mod agents;
mod expiry;
mod jobs;
mod keys_in_hand;
mod lifecycle;
mod registration;
