//! What happens, one rule per function.

mod bad_codes;
mod bad_fields;
mod bad_files;
mod commands;
mod crl;
mod database_outage;
mod full_disk;
mod judges;
mod main_job;
mod ocsp_faults;
mod once_only;
mod oracle;
mod price;
mod readme;
mod relying_servers;
mod responders;
mod revocation_storm;
mod schema;
mod shutdown;
mod signer_kills;
mod slow_clients;
mod status;
mod text_messages;
mod whose;
mod workspace;
mod wrong_state;
