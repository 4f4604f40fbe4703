//! What happened, counted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! counts {
    ($( $field:ident, $what:literal; )*) => {
        /// What happened, counted.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Counts { $( #[doc = $what] pub(crate) $field: u64, )* }

        impl Counts {
            /// Add another's.
            pub(crate) fn add(&mut self, other: &Self) {
                $( self.$field += other.$field; )*
            }

            /// Names and values.
            pub(crate) fn list(&self) -> Vec<(&'static str, u64)> {
                vec![$( (stringify!($field), self.$field) ),*]
            }
        }
    };
}

counts! {
    planned, "Sends that were due.";
    ping, "PING sent, heartbeats not included.";
    beat, "Heartbeats sent (PING).";
    sync, "SYNC sent.";
    property, "PROPERTY sent.";
    telemetry, "Values sent that nobody answers.";
    publish, "MQTT values sent at QoS 1.";
    http_read, "HTTP reads sent.";
    http_write, "HTTP writes sent.";
    bridge, "Values sent to other devices.";
    echo, "Values sent back.";
    answers, "Answers that came in time, arrivals at devices included.";
    downlinks, "Values that devices received.";
    timeouts, "Answers that did not come in time.";
    refused, "Answers with another status than success.";
    held, "Sends that waited for room in flight.";
    skipped, "Sends that were given up while they waited for room in flight.";
    blocked, "Sends that were dropped because the socket did not take the bytes before.";
    offline, "Sends that were dropped because their device was not connected, although the plan had not cut it.";
    away, "Sends that were left out because the plan itself had cut or switched off their device.";
    connects, "Connections begun.";
    logins, "Logins that were accepted.";
    connect_failed, "Connections that could not be made, refused and timed out.";
    no_address, "Connections that found no free source address and port (EADDRNOTAVAIL).";
    no_descriptor, "Connections that found no descriptor (EMFILE, ENFILE).";
    login_failed, "Logins that were refused, not answered, or ended.";
    tls_resumed, "TLS handshakes that continued an earlier session.";
    tls_failed, "TLS handshakes that failed.";
    lost, "Connections of devices that ended although nobody here asked for it.";
    cut, "Connections that were cut as planned.";
    half_open, "Half handshakes.";
    faults, "Bytes of the server that break the protocol.";
}

impl Counts {
    /// What the server or the network did wrong.
    pub(crate) const fn errors(&self) -> u64 {
        self.timeouts
            + self.refused
            + self.connect_failed
            + self.login_failed
            + self.tls_failed
            + self.lost
            + self.faults
    }

    /// What was planned and never sent.
    pub(crate) const fn missing(&self) -> u64 {
        self.skipped + self.blocked + self.offline
    }

    /// Messages sent, of all kinds.
    pub(crate) const fn sent(&self) -> u64 {
        self.ping
            + self.beat
            + self.sync
            + self.property
            + self.telemetry
            + self.publish
            + self.http_read
            + self.http_write
            + self.bridge
            + self.echo
    }
}
