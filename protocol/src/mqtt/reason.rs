//! Reason codes of MQTT 5, and the return codes that 3.1.1 has instead.

macro_rules! reasons {
    ($( $name:ident = $code:literal, $words:literal, $fix:literal; )*) => {
        /// Why. Below 0x80 something succeeded.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Reason { $( #[doc = $words] $name = $code, )* }

        impl Reason {
            /// The byte on the wire.
            #[must_use]
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The reason with this byte, if the protocol has it.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $( $code => Some(Self::$name), )* _ => None }
            }

            /// What it means.
            #[must_use]
            pub const fn words(self) -> &'static str {
                match self { $( Self::$name => $words, )* }
            }

            /// What to do about it.
            #[must_use]
            pub const fn fix(self) -> &'static str {
                match self { $( Self::$name => $fix, )* }
            }
        }
    };
}

reasons! {
    Success = 0x00, "done", "nothing is to be done";
    GrantedQos1 = 0x01, "granted at QoS 1", "nothing is to be done";
    GrantedQos2 = 0x02, "granted at QoS 2", "nothing is to be done";
    DisconnectWithWill = 0x04, "the client leaves and wants its will", "nothing is to be done";
    NoMatchingSubscribers = 0x10, "nobody listens", "nothing is to be done";
    NoSubscriptionExisted = 0x11, "there was no such subscription", "nothing is to be done";
    ContinueAuthentication = 0x18, "authentication goes on", "nothing is to be done";
    Reauthenticate = 0x19, "authentication begins again", "nothing is to be done";
    UnspecifiedError = 0x80, "an error without a name", "try again later";
    MalformedPacket = 0x81, "a packet is malformed", "check the client library";
    ProtocolError = 0x82, "the protocol is broken", "check the client library";
    ImplementationSpecificError = 0x83, "it cannot be done here", "try again later";
    UnsupportedProtocolVersion = 0x84, "neither MQTT 3.1.1 nor 5", "set the client to one of them";
    ClientIdentifierNotValid = 0x85, "the client id is too long, or empty without a clean session",
        "use at most 64 characters, or set clean session";
    BadUserNameOrPassword = 0x86, "user name or password are wrong", "use the user device and the token as password";
    NotAuthorized = 0x87, "this is not permitted", "look at the template of the device";
    ServerUnavailable = 0x88, "the server is not available", "try again later";
    ServerBusy = 0x89, "the server is busy", "try again later";
    Banned = 0x8A, "the client is banned", "ask the operator";
    ServerShuttingDown = 0x8B, "the server stops", "connect again";
    BadAuthenticationMethod = 0x8C, "enhanced authentication is not spoken", "use user name and password";
    KeepAliveTimeout = 0x8D, "nothing was heard for one and a half keep alives", "send PINGREQ in time";
    SessionTakenOver = 0x8E, "another connection logged in with the same token", "use one token a device";
    TopicFilterInvalid = 0x8F, "the topic filter is not taken", "subscribe to downlink/#";
    TopicNameInvalid = 0x90, "the topic is not known", "check the name of the datastream";
    PacketIdentifierInUse = 0x91, "the packet id is in use", "check the client library";
    PacketIdentifierNotFound = 0x92, "the packet id is not known", "check the client library";
    ReceiveMaximumExceeded = 0x93, "too many messages wait for their answer", "wait for answers";
    TopicAliasInvalid = 0x94, "no topic alias is offered", "send the topic's name";
    PacketTooLarge = 0x95, "the packet is too large", "send smaller batches";
    MessageRateTooHigh = 0x96, "messages come too fast", "send less often";
    QuotaExceeded = 0x97, "a quota is used up", "send less often";
    AdministrativeAction = 0x98, "the operator ended the connection", "ask the operator";
    PayloadFormatInvalid = 0x99, "the payload is not taken", "check the value and its datastream";
    RetainNotSupported = 0x9A, "nothing is retained", "clear the retain flag";
    QosNotSupported = 0x9B, "this QoS is not spoken", "use a lower one";
    UseAnotherServer = 0x9C, "another server is to be used", "follow downlink/redirect";
    ServerMoved = 0x9D, "the server has moved", "follow downlink/redirect";
    SharedSubscriptionsNotSupported = 0x9E, "subscriptions are not shared", "subscribe to downlink/#";
    ConnectionRateExceeded = 0x9F, "logins come too fast", "wait longer between them";
    MaximumConnectTime = 0xA0, "the connection is too old", "connect again";
    SubscriptionIdentifiersNotSupported = 0xA1, "subscriptions have no identifiers", "leave the identifier out";
    WildcardSubscriptionsNotSupported = 0xA2, "filters with + are not taken", "subscribe to downlink/#";
}

impl Reason {
    /// What CONNACK of 3.1.1 says instead.
    #[must_use]
    pub const fn return_code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::UnsupportedProtocolVersion => 1,
            Self::ClientIdentifierNotValid => 2,
            Self::BadUserNameOrPassword => 4,
            Self::NotAuthorized | Self::BadAuthenticationMethod | Self::Banned | Self::PacketTooLarge => 5,
            _ => 3,
        }
    }

    /// Does a refused CONNECT hear it? A login that fails for a while is closed without an answer: clients give up for
    /// good after any CONNACK that refuses.
    pub(super) const fn refuses_login(self) -> bool {
        matches!(
            self,
            Self::MalformedPacket
                | Self::ProtocolError
                | Self::UnsupportedProtocolVersion
                | Self::ClientIdentifierNotValid
                | Self::BadUserNameOrPassword
                | Self::NotAuthorized
                | Self::BadAuthenticationMethod
                | Self::Banned
                | Self::PacketTooLarge
        )
    }

    /// May PUBACK and PUBREC carry it?
    pub(super) const fn answers_publish(self) -> bool {
        matches!(
            self,
            Self::Success
                | Self::NoMatchingSubscribers
                | Self::UnspecifiedError
                | Self::ImplementationSpecificError
                | Self::NotAuthorized
                | Self::TopicNameInvalid
                | Self::PacketIdentifierInUse
                | Self::QuotaExceeded
                | Self::PayloadFormatInvalid
        )
    }

    /// May a client's DISCONNECT carry it?
    pub(super) const fn ends_client(self) -> bool {
        matches!(
            self,
            Self::Success
                | Self::DisconnectWithWill
                | Self::UnspecifiedError
                | Self::MalformedPacket
                | Self::ProtocolError
                | Self::ImplementationSpecificError
                | Self::TopicNameInvalid
                | Self::ReceiveMaximumExceeded
                | Self::TopicAliasInvalid
                | Self::PacketTooLarge
                | Self::MessageRateTooHigh
                | Self::QuotaExceeded
                | Self::AdministrativeAction
                | Self::PayloadFormatInvalid
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip_and_have_words() {
        let known: Vec<_> = (0..=u8::MAX).filter_map(Reason::from_code).collect();
        assert_eq!(known.len(), 43);
        assert!(known.iter().all(|reason| Reason::from_code(reason.code()) == Some(*reason)));
        assert!(known.iter().all(|reason| !reason.words().is_empty() && !reason.fix().is_empty()));
    }

    #[test]
    fn older_clients_hear_return_codes() {
        let code = |reason: Reason| reason.return_code();
        assert_eq!(code(Reason::BadUserNameOrPassword), 4);
        assert_eq!(code(Reason::NotAuthorized), 5);
        assert_eq!(code(Reason::UnsupportedProtocolVersion), 1);
        assert_eq!(code(Reason::ClientIdentifierNotValid), 2);
        assert_eq!(code(Reason::ServerBusy), 3);
        assert_eq!(code(Reason::Success), 0);
    }
}
