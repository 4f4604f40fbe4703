//! Arguments of commands about the store: keys, erasing, backups, organizations.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::at::At;

/// Which store.
#[derive(Args)]
pub(crate) struct Where {
    #[command(flatten)]
    pub(crate) at: At,
    /// What opens the keys instead: file:/PATH, credential:NAME or environment:NAME.
    #[arg(long, value_name = "SOURCE")]
    pub(crate) unseal: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum KeysVerb {
    /// What the keyring holds.
    Status(Where),
    /// New keys for all organizations; every record is sealed again.
    Rotate(Where),
    /// A new root key.
    RotateRoot(Where),
    /// Open the keyring by another source from now on, in the backups too.
    Rewrap {
        /// The new source: file:/PATH, credential:NAME or environment:NAME. Then change the configuration.
        #[arg(long, value_name = "SOURCE")]
        to: String,
        /// Backups elsewhere than the configuration says.
        #[arg(long, value_name = "PLACE")]
        backups: Option<String>,
        #[command(flatten)]
        at: Where,
    },
}

/// What to erase.
#[derive(Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["org", "device"])))]
pub(crate) struct Erase {
    /// An organization with all that it has, by its number or name: its key is destroyed, in the backups too.
    #[arg(long)]
    pub(crate) org: Option<String>,
    /// A device with its token, values, history and events. Backups keep it until they are removed.
    #[arg(long, value_name = "ID")]
    pub(crate) device: Option<u32>,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Backups elsewhere than the configuration says.
    #[arg(long, value_name = "PLACE")]
    pub(crate) backups: Option<String>,
    #[command(flatten)]
    pub(crate) at: Where,
}

#[derive(Subcommand)]
pub(crate) enum StoreVerb {
    /// Read and authenticate every record, and compare every table with the inventory.
    Verify(Where),
    /// What is in it.
    Stats(Where),
    /// The clock is right, though it is further ahead than the store believes: let records expire by it.
    AcceptClock(Where),
}

#[derive(Subcommand)]
pub(crate) enum BackupVerb {
    /// Make a backup while the server runs, or of a store that nobody has open.
    Create {
        /// A folder or s3://BUCKET/PREFIX; else what the configuration says.
        #[arg(long, value_name = "PLACE")]
        to: Option<String>,
        /// Remove all but so many.
        #[arg(long, value_name = "N")]
        keep: Option<u32>,
        #[command(flatten)]
        at: Where,
    },
    /// Names of the backups, the oldest first.
    List {
        /// A folder or s3://BUCKET/PREFIX; else what the configuration says.
        #[arg(long, value_name = "PLACE")]
        from: Option<String>,
        #[command(flatten)]
        at: Where,
    },
    /// Check a backup's signature and every object of it.
    Verify {
        /// Its name; else the newest.
        id: Option<String>,
        /// A folder or s3://BUCKET/PREFIX; else what the configuration says.
        #[arg(long, value_name = "PLACE")]
        from: Option<String>,
        #[command(flatten)]
        at: Where,
    },
    /// Restore a backup into an empty folder, open it there and read every record.
    Restore {
        /// Its name; else the newest.
        id: Option<String>,
        /// A folder or s3://BUCKET/PREFIX; else what the configuration says.
        #[arg(long, value_name = "PLACE")]
        from: Option<String>,
        /// The data directory to make: a server starts with it afterwards.
        #[arg(long, value_name = "DIR")]
        into: PathBuf,
        #[command(flatten)]
        at: Where,
    },
}

/// Replacing the running server, or what is to be done with its store afterwards.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Upgrade {
    #[command(subcommand)]
    pub(crate) verb: Option<UpgradeVerb>,
    /// The program to start instead of the one that runs; else the file that it was started from, as it is now.
    #[arg(long, value_name = "PATH")]
    pub(crate) binary: Option<PathBuf>,
    /// Only say how the last one went.
    #[arg(long)]
    pub(crate) status: bool,
    #[command(flatten)]
    pub(crate) at: At,
}

#[derive(Subcommand)]
pub(crate) enum UpgradeVerb {
    /// Make room for what came later; the older version cannot go back afterwards.
    Finalize(Where),
}

#[derive(Subcommand)]
pub(crate) enum AuditVerb {
    /// Is the audit log whole? The first entry that is not as it was written is named.
    Verify {
        /// The organization, by its number or name; all, if there is none.
        #[arg(long)]
        org: Option<String>,
        /// A file with checkpoints from the server's log, a JSON object a line.
        #[arg(long, value_name = "FILE")]
        checkpoints: Option<PathBuf>,
        #[command(flatten)]
        at: Where,
    },
}

#[derive(Subcommand)]
pub(crate) enum AccessVerb {
    /// May somebody do something in an organization, and why?
    Why {
        /// Their e-mail address.
        email: String,
        /// Such as device.view.
        permission: String,
        /// The organization, by its number or name.
        #[arg(long, default_value = "1")]
        org: String,
        #[command(flatten)]
        at: Where,
    },
}

#[derive(Subcommand)]
pub(crate) enum OrgVerb {
    /// All organizations.
    List(Where),
    /// Make one.
    Add {
        /// For people.
        name: String,
        #[command(flatten)]
        at: Where,
    },
}
