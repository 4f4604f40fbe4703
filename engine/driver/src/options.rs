//! How a driver is opened, and what the kernel offers it.

use std::fmt;

use crate::limits;

/// Which back end to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// io_uring where the kernel allows it, the portable one elsewhere.
    #[default]
    Auto,
    /// io_uring or an error.
    IoUring,
    /// Readiness (epoll) through mio.
    Portable,
}

/// The back end that is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// io_uring.
    IoUring,
    /// mio.
    Portable,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IoUring => "io_uring",
            Self::Portable => "portable (mio)",
        })
    }
}

/// Where a ring keeps its sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Descriptors {
    /// Direct when the process may not have as many descriptors as connections are wanted.
    #[default]
    Auto,
    /// In the ring's own table, outside the limit of the process.
    Direct,
    /// Ordinary file descriptors.
    Plain,
}

/// How io_uring waits for the next bytes of a connection that is armed with [`crate::Mode::Multi`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdleReceive {
    /// With a receive: least work a message, 864 bytes of kernel memory.
    #[default]
    Armed,
    /// With a poll, 256 bytes, and a receive when it has bytes.
    Poll,
}

macro_rules! features {
    ($( $field:ident, $name:literal, $since:literal, $what:literal; )*) => {
        /// Newer features of io_uring; each is used only if the kernel has it and the operator did not mask it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Features { $( #[doc = $what] pub $field: bool, )* }

        impl Features {
            /// Everything that the driver can use.
            pub const ALL: Self = Self { $( $field: true, )* };
            /// What Linux 6.1 has: none of them.
            pub const LINUX_6_1: Self = Self { $( $field: false, )* };

            /// What both have.
            #[must_use]
            pub const fn and(self, other: Self) -> Self {
                Self { $( $field: self.$field && other.$field, )* }
            }

            /// Parse a mask: `all`, `6.1`, or a list such as `-no_sqarray,-getsockopt` of what not to use.
            ///
            /// # Errors
            /// A name that no feature has; the text lists those that exist.
            pub fn parse(text: &str) -> Result<Self, String> {
                let mut features = Self::ALL;
                for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
                    match item {
                        "all" => features = Self::ALL,
                        "6.1" => features = Self::LINUX_6_1,
                        $( concat!("-", $name) => features.$field = false, concat!("+", $name) => features.$field = true, )*
                        _ => {
                            let known = [$( concat!("-", $name) ),*].join(", ");
                            return Err(format!("driver feature {item:?} is not known; use \"all\", \"6.1\" or a list of: {known}"));
                        }
                    }
                }
                Ok(features)
            }
        }

        impl fmt::Display for Features {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let used: Vec<&str> = [$( (self.$field, $name) ),*].into_iter().filter(|x| x.0).map(|x| x.1).collect();
                f.write_str(if used.is_empty() { "the Linux 6.1 set" } else { "" })?;
                f.write_str(&used.join(", "))
            }
        }
    };
}

features! {
    no_sqarray, "no_sqarray", "6.6", "A submission queue without the index array (Linux 6.6).";
    getsockopt, "getsockopt", "6.7", "Socket options of direct descriptors (Linux 6.7); without it plain descriptors are used.";
    fd_install, "fd_install", "6.8", "A descriptor of a direct one for another process (Linux 6.8); without it such connections cannot be handed over.";
    send_fd, "send_fd", "6.3", "Moving direct descriptors between deferred rings (Linux 6.3); without it plain descriptors are used.";
}

/// How to open a driver.
#[derive(Clone, Debug)]
pub struct Options {
    /// Back end.
    pub backend: Choice,
    /// Where sockets are kept (io_uring only).
    pub descriptors: Descriptors,
    /// Connections wanted on this driver; it may hold fewer, see [`crate::Driver::capacity`].
    pub connections: u32,
    /// Connections wanted in the whole process: decides about direct descriptors.
    pub process_connections: u32,
    /// How to wait for connections that send nothing (io_uring only).
    pub idle: IdleReceive,
    /// Length of a receive buffer, bytes.
    pub receive_buffer_bytes: usize,
    /// Receive buffers; a power of two.
    pub receive_buffers: u16,
    /// Completion queue, entries; a power of two.
    pub completions: u32,
    /// Features that may be used.
    pub features: Features,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            backend: Choice::Auto,
            descriptors: Descriptors::Auto,
            connections: 10_000,
            process_connections: 10_000,
            idle: IdleReceive::Armed,
            receive_buffer_bytes: limits::RECEIVE_BUFFER_BYTES,
            receive_buffers: limits::RECEIVE_BUFFERS,
            completions: limits::CQ_ENTRIES,
            features: Features::ALL,
        }
    }
}

/// A driver could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// io_uring was asked for and the kernel refuses it.
    IoUring {
        /// What it said.
        source: std::io::Error,
    },
    /// Something else failed.
    Io(std::io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IoUring { source } => write!(f, "{}", crate::probe::refusal(source)),
            Self::Io(source) => write!(f, "the driver could not be opened: {source}"),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<std::io::Error> for OpenError {
    fn from(source: std::io::Error) -> Self {
        Self::Io(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_parsed_and_refused_by_name() {
        assert_eq!(Features::parse("all"), Ok(Features::ALL));
        assert_eq!(Features::parse("6.1"), Ok(Features::LINUX_6_1));
        assert_eq!(Features::parse("-getsockopt"), Ok(Features { getsockopt: false, ..Features::ALL }));
        assert_eq!(Features::parse("6.1,+no_sqarray"), Ok(Features { no_sqarray: true, ..Features::LINUX_6_1 }));
        let error = Features::parse("-min_wait").expect_err("not known");
        assert!(error.contains("-min_wait") && error.contains("-getsockopt"), "{error}");
    }
}
