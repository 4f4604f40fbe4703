//! Every way in which a connection can end: one variant, one code, one sentence, one fix.

use linchpin_protocol::Fault;

/// Who can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Nothing is wrong.
    Nobody,
    /// The network between the device and the server.
    Network,
    /// The device: its sketch, library or token.
    Device,
    /// The operator: limits or configuration of the server.
    Operator,
    /// Linchpin itself.
    Server,
}

macro_rules! ends {
    ($( $name:ident = $code:literal, $blame:ident, $what:literal, $fix:literal; )*) => {
        /// Why a connection ended. Codes never change their meaning; the first digits group them: `E01` network,
        /// `E02` what the peer sent, `E03` login, `E04` limits, `E05` the server's own reasons.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum End { $( #[doc = $what] $name = $code, )* }

        impl End {
            /// All of them, in the order of their codes.
            pub const ALL: &'static [End] = &[ $( End::$name, )* ];

            /// Who can do something about it.
            #[must_use]
            pub const fn blame(self) -> Blame { match self { $( End::$name => Blame::$blame, )* } }

            /// What happened, one sentence.
            #[must_use]
            pub const fn what(self) -> &'static str { match self { $( End::$name => $what, )* } }

            /// What to do about it, one sentence.
            #[must_use]
            pub const fn fix(self) -> &'static str { match self { $( End::$name => $fix, )* } }
        }
    };
}

ends! {
    PeerClosed = 101, Nobody, "The device closed the connection.",
        "Nothing to do: it reconnects when it wants to.";
    PeerReset = 102, Network, "The connection was reset by the device or the network.",
        "If it happens often, look at the device's power supply, its Wi-Fi signal and firewalls on the way.";
    HeartbeatMissed = 103, Network, "Nothing was heard from the device for 2.3 times its heartbeat, or 1.5 times its MQTT keep alive.",
        "Look at the device's power and network; if its sketch blocks for long, call Blynk.run() more often or raise BLYNK_HEARTBEAT.";
    LoginTimeout = 104, Device, "No complete login or request came in time.",
        "Check that the client speaks the Blynk protocol; port scanners and health checks end like this too.";
    HttpDone = 105, Nobody, "Normal end of an HTTP request: the client or the server closed the connection after the answer.",
        "Nothing to do: exchanges end like this.";
    HttpIdle = 106, Nobody, "The HTTP connection was kept open and no request came for 75 seconds, or for 5 while the connection table is filling.",
        "Nothing to do: the client opens another when it has a request.";
    HandshakeTimeout = 107, Network, "The TLS handshake was not complete after 8 seconds.",
        "Look at the device's network; if its processor is slow, let it resume sessions or use an ECDSA certificate.";
    RecordTimeout = 108, Network, "A TLS record was not whole 5 seconds after its first byte.",
        "Look at the client's network; if it is slow let the client send smaller records.";
    LiveClosed = 110, Nobody, "A page closed its live socket.",
        "Nothing to do: pages close and open them as they are shown.";
    LiveSilent = 111, Network, "Nothing was heard from a live socket for 75 seconds.",
        "Look at the network of whoever watches; their page connects again by itself.";
    ChallengeAnswered = 119, Nobody, "An authority has seen the certificate of its challenge, and the connection is over.",
        "Nothing to do: the server's certificates are ordered like this.";
    FrameTooLarge = 201, Device, "A frame announced a body longer than the server takes.",
        "Send smaller values; if the client is not a Blynk library, check that it writes the length in big-endian.";
    UnknownCommand = 202, Device, "A frame had a command number that the Blynk protocol does not have.",
        "Check that the client speaks the Blynk device protocol and does not lose bytes.";
    CommandBeforeLogin = 203, Device, "A command came before the login.",
        "Send HARDWARE_LOGIN (29) with the token first and wait for status 200.";
    UnknownProtocol = 204, Device, "The first byte belongs to no protocol that this port speaks.",
        "Point a Blynk or MQTT device at this port; they start with byte 0x1d or 0x10.";
    TlsNotServed = 205, Operator, "The client started TLS, and this server has no certificate.",
        "Give the server a certificate ([[certificate]] with chain and key, or acme), or use a client without SSL.";
    TlsExpected = 206, Device, "The client sent plain bytes to a listener that takes TLS only.",
        "Use the client's TLS variant (an SSL header or connector), or point it at a plain listener.";
    LoginTooLong = 208, Device, "More bytes came before the login than a login needs.",
        "Send HARDWARE_LOGIN (29) with the 32-character token as the first frame.";
    HttpMalformed = 209, Device, "The HTTP request breaks the rules of HTTP/1.1 or is too long.",
        "The answer says what is wrong with it; check the client, and whether a proxy in between changes requests.";
    WebSocketFault = 210, Device, "A WebSocket frame breaks the rules of RFC 6455.",
        "Send the Blynk stream in masked binary frames without extensions.";
    ProxyHeader = 211, Operator, "The load balancer did not begin with a PROXY protocol header of version 2.",
        "Switch send-proxy-v2 on at the load balancer, or give devices a listener that is not in `proxied`.";
    TlsVersion = 212, Device, "The client speaks no TLS version from 1.2 on.",
        "Update the client's TLS library; nothing older than TLS 1.2 is spoken here.";
    TlsHandshake = 213, Device, "The TLS handshake failed: the client broke it off, or both sides have nothing in common.",
        "If the client does not trust the certificate give it the right root; `linchpin check` says which roots the chain reaches.";
    TlsRecord = 214, Network, "A TLS record was damaged on the way or breaks the rules.",
        "If it happens often, look for a device with failing memory or a middlebox that changes bytes.";
    MqttMalformed = 215, Device, "An MQTT packet breaks the rules of MQTT 3.1.1 or 5.",
        "Check the client's library; MQTT 5 clients hear the reason, and `device tap` shows the packets.";
    MqttVersion = 216, Device, "The client speaks neither MQTT 3.1.1 nor 5.",
        "Set the client to protocol level 4 (3.1.1) or 5.";
    LiveFault = 217, Device, "A message on a live socket breaks the rules of its encoding, or is too long.",
        "Load the console again; for a script, see docs/live.md.";
    TokenShape = 301, Device, "The token in the login is not 32 characters of A-Z, a-z, 0-9, - and _.",
        "Copy the token again; it has exactly 32 characters.";
    TokenUnknown = 302, Device, "No device has the token of the login.",
        "Write the device's token into the sketch: `linchpin device token ID` prints it, `linchpin device list` shows the ids.";
    TemplateMismatch = 303, Device, "The device's firmware names another template than the device has.",
        "Set BLYNK_TEMPLATE_ID in the sketch to the template of the device, or add a device with that template.";
    TakenOver = 304, Device, "The same device logged in again; the newest login wins.",
        "If both are alive, two boards use one token: give each its own device.";
    TakeoverTooOften = 305, Device, "The device logged in too often in a short time.",
        "If two boards use one token give each its own; if one board reconnects in a loop, look at why it drops.";
    AddressThrottled = 306, Device, "Too many logins with unknown tokens came from this address.",
        "Find the device with the wrong token at this address; it may log in again within minutes.";
    DeviceRemoved = 307, Operator, "The device was removed or its token was replaced.",
        "Add the device again or write its new token into the sketch.";
    TlsRequired = 308, Device, "The template of the device requires TLS, and the device came without.",
        "Use the client's TLS variant (an SSL header or connector) and the TLS port, or drop `tls` from the template.";
    CertificateRevoked = 309, Device, "The client's certificate is on the list of revoked ones.",
        "Issue a new certificate for the device, or take its fingerprint off the list.";
    MqttLogin = 310, Device, "The MQTT login has another user name than `device`, or a password that is no token.",
        "Use the user name device and the device's 32-character token as the password.";
    MqttClientId = 311, Device, "The MQTT client id is longer than 64 characters, or empty without a clean session.",
        "Use a shorter client id, or set clean session.";
    LiveRevoked = 312, Nobody, "The rights of a live socket have ended or changed.",
        "Nothing to do: the page comes back with the rights that there are now, or asks to sign in.";
    Flood = 401, Device, "The device kept sending far more messages than its quota after being told.",
        "Send fewer messages (use a BlynkTimer, never virtualWrite in loop()), or raise limits.messages_per_second.";
    AddressCap = 402, Operator, "Too many connections from one address.",
        "Raise limits.per_address if many devices share an address.";
    OutboundFull = 403, Device, "The device does not read what is sent to it.",
        "Look at the device's network; if it is busy for long, call Blynk.run() more often, or raise limits.outbound_bytes.";
    ProxyStranger = 404, Operator, "A connection to a listener for load balancers came from an address that is not listed.",
        "Add the load balancer's address to listen.proxies, or point clients at another listener.";
    HandshakesPerAddress = 405, Operator, "Too many TLS handshakes came from one address in a short time.",
        "The device will retry; let clients resume sessions, and look for one that reconnects in a loop.";
    ShareFull = 406, Device, "The connection's token or network held more memory for unfinished input and waiting output than its share.",
        "Let clients finish what they send and read their answers, or open fewer connections at a time.";
    Crowded = 407, Operator, "The connection had not logged in, the table was nearly full, and its network had most connections that had not.",
        "The client may connect again; if it happens often, raise the descriptor limit (LimitNOFILE).";
    LiveSlow = 408, Network, "A live socket was not read for 30 seconds.",
        "Look at the network of whoever watches; their page connects again by itself.";
    LiveCrowded = 409, Operator, "Live sockets hold as much as they may, and this person's hold most of it.",
        "Close pages that nobody looks at; a script should watch less, or on fewer sockets.";
    HomeFull = 501, Operator, "The shard that owns the device has no free connection slot.",
        "Raise the descriptor limit (LimitNOFILE) or the number of shards.";
    Busy = 502, Operator, "The server was too busy to resolve the login in time.",
        "The device will retry; if it happens often, add shards or cores.";
    Drained = 503, Operator, "The server is shutting down or being drained.",
        "Nothing to do: the device reconnects when the server is back.";
    Redirected = 504, Operator, "The device was sent to another server.",
        "Nothing to do: the device connects there.";
    CarryFull = 505, Operator, "The memory for unfinished input and waiting output of this shard is used up, and the connection's token or network held most of it.",
        "The device will retry; look for clients that send half frames or do not read, or add memory or shards.";
    HandshakeBusy = 506, Operator, "The TLS handshake would have had to wait too long to be of use, or gave way to an address with fewer.",
        "The device will retry, and those that wait are served first; if it happens often, add cores.";
    AnswerFailed = 507, Server, "The server failed while it answered a request.",
        "Look at the server's log and report it: this is a bug.";
    Replaced = 508, Operator, "The server was replaced by a newer one, and this connection could not go along.",
        "Nothing to do: the device reconnects at once; what was in the middle of a handshake or a login ends like this.";
    ReplacedUnread = 509, Operator, "The newer server could not read the state of this connection.",
        "Nothing to do: the device reconnects; after a step over several versions this is expected.";
}

impl End {
    /// Did the server decide it, so that it may say goodbye?
    #[must_use]
    pub(crate) const fn is_ours(self) -> bool {
        !matches!(self, End::PeerClosed | End::PeerReset | End::LiveClosed)
    }

    /// The number in the code.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }
}

impl std::fmt::Display for End {
    /// `E0103`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "E{:04}", self.number())
    }
}

/// A fault that ends the connection, as its end code.
#[must_use]
pub(crate) const fn of_fault(fault: Fault) -> End {
    match fault {
        Fault::BodyTooLarge { .. } => End::FrameTooLarge,
        Fault::BeforeLogin { .. } => End::CommandBeforeLogin,
        Fault::TokenShape { .. } => End::TokenShape,
        Fault::LoginTooLong { .. } => End::LoginTooLong,
        Fault::TemplateIdShape { .. } => End::TemplateMismatch,
        _ => End::UnknownCommand,
    }
}

/// A fault of TLS, as its end code.
#[must_use]
pub(crate) const fn of_tls_fault(fault: &linchpin_tls::Fault, in_handshake: bool) -> End {
    use linchpin_tls::Fault as F;
    match fault {
        F::OldVersion(_) => End::TlsVersion,
        F::Revoked => End::CertificateRevoked,
        F::ChallengeAnswered => End::ChallengeAnswered,
        F::AssemblyBudget(_) => End::CarryFull,
        _ if in_handshake => End::TlsHandshake,
        _ => End::TlsRecord,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_sorted_and_explained() {
        for pair in End::ALL.windows(2) {
            assert!(pair[0].number() < pair[1].number(), "{} and {} are out of order", pair[0], pair[1]);
        }
        for end in End::ALL {
            assert!(end.what().ends_with('.') && end.what().len() > 20, "{end} needs a sentence");
            assert!(end.fix().ends_with('.') && end.fix().len() > 20, "{end} needs a fix");
        }
        assert_eq!(End::HeartbeatMissed.to_string(), "E0103");
    }
}
