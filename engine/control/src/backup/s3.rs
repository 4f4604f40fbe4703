//! Backups in a bucket of an S3-compatible store, through the crate `object_store`.

use linchpin_storage::Error;
use linchpin_storage::backup::BackupTarget;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore as _, ObjectStoreExt as _, RetryConfig};
use tokio::runtime::Runtime;

use crate::{Code, CommandError, limits};

/// One bucket and a prefix in it. Calls block: on a thread that may, and outside of any runtime's own.
pub(super) struct S3Target {
    runtime: Runtime,
    store: AmazonS3,
    bucket: String,
    prefix: String,
}

impl S3Target {
    /// Credentials, region and endpoint are those of the environment.
    pub(super) fn open(bucket: &str, prefix: &str) -> Result<Self, CommandError> {
        let failed = |error: &dyn std::fmt::Display| {
            CommandError::new(Code::Backup, format!("the store of s3://{bucket} cannot be used: {error}"))
        };
        let has = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            if !has(name) {
                return Err(failed(&format!("{name} is not set: put it into the environment of the server")));
            }
        }
        let plain = std::env::var("AWS_ENDPOINT_URL").is_ok_and(|url| url.starts_with("http://"));
        let client = ClientOptions::new()
            .with_timeout(limits::S3_TIMEOUT)
            .with_connect_timeout(limits::S3_CONNECT_TIMEOUT)
            .with_allow_http(plain);
        let retry = RetryConfig {
            max_retries: limits::S3_RETRIES,
            retry_timeout: limits::S3_TIMEOUT,
            ..RetryConfig::default()
        };
        let store = AmazonS3Builder::from_env().with_bucket_name(bucket).with_client_options(client).with_retry(retry);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self {
            runtime: runtime.map_err(|error| failed(&error))?,
            store: store.build().map_err(|error| failed(&error))?,
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        })
    }

    fn path(&self, name: &str) -> Path {
        Path::from(if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) })
    }

    fn failed(&self, doing: &str, error: &object_store::Error) -> Error {
        // Never the whole error: it may quote what was sent.
        let reason = match error {
            object_store::Error::NotFound { .. } => "the bucket does not exist: make it, or name another".to_owned(),
            object_store::Error::Unauthenticated { .. } | object_store::Error::PermissionDenied { .. } => {
                "the credentials are wrong or may not do this: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the \
                 bucket's policy"
                    .to_owned()
            }
            other => first_line(&other.to_string()),
        };
        Error::Backup { what: format!("s3://{} cannot {doing}: {reason}", self.bucket) }
    }
}

/// The first line, cut: errors of HTTP quote whole pages.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(300).collect()
}

impl BackupTarget for S3Target {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let payload = bytes.to_vec().into();
        let put = self.runtime.block_on(self.store.put(&self.path(name), payload));
        put.map(drop).map_err(|error| self.failed("keep an object", &error))
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let got = self.runtime.block_on(async { self.store.get(&self.path(name)).await?.bytes().await });
        match got {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("read an object", &error)),
        }
    }

    fn len(&self, name: &str) -> Result<Option<u64>, Error> {
        match self.runtime.block_on(self.store.head(&self.path(name))) {
            Ok(facts) => Ok(Some(facts.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("look for an object", &error)),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let folder = self.path(prefix.trim_end_matches('/'));
        let listed = self.runtime.block_on(self.store.list_with_delimiter(Some(&folder)));
        let listed = listed.map_err(|error| self.failed("list objects", &error))?;
        let own = if self.prefix.is_empty() { String::new() } else { format!("{}/", self.prefix) };
        let name = |path: &Path| path.as_ref().strip_prefix(own.as_str()).map(str::to_owned);
        let mut names: Vec<String> = listed.objects.iter().filter_map(|object| name(&object.location)).collect();
        names.sort();
        Ok(names)
    }

    fn delete(&self, name: &str) -> Result<(), Error> {
        match self.runtime.block_on(self.store.delete(&self.path(name))) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("remove an object", &error)),
        }
    }
}

const _: () = assert!(limits::S3_CONNECT_TIMEOUT.as_millis() < limits::S3_TIMEOUT.as_millis());
