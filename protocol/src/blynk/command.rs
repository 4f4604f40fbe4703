//! Command numbers.

use std::fmt;

macro_rules! commands {
    ($( $name:ident = $number:literal, $wire:literal, $doc:literal; )*) => {
        /// The commands of the device protocol. Who may send which is in each one's description: D device, S server.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Command { $( #[doc = $doc] $name = $number, )* }

        impl Command {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[ $( Self::$name, )* ];

            /// The number on the wire.
            #[must_use]
            pub const fn number(self) -> u8 {
                self as u8
            }

            /// The command with this number, if the device protocol has it.
            #[must_use]
            #[inline]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $( $number => Some(Self::$name), )* _ => None }
            }
        }

        impl fmt::Display for Command {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $( Self::$name => $wire, )* })
            }
        }
    };
}

commands! {
    Response = 0, "RESPONSE", "D, S: answer; a status stands where others have the length of their body.";
    LoginOld = 2, "LOGIN", "D: login of old libraries and of the Python `blynklib`.";
    Ping = 6, "PING", "D, S: am I heard? Never sent to devices, several libraries answer it wrongly.";
    Tweet = 12, "TWEET", "D: post a text (legacy).";
    Email = 13, "EMAIL", "D: send a mail (legacy).";
    Push = 14, "PUSH_NOTIFICATION", "D: notify the owner's phone (legacy).";
    Bridge = 15, "BRIDGE", "D, S: write to another device (legacy).";
    Sync = 16, "HARDWARE_SYNC", "D: send me the latest values.";
    Internal = 17, "INTERNAL", "D, S: key/value pairs: about the device, its clock, its metadata, its firmware.";
    Sms = 18, "SMS", "D: send a short message (legacy).";
    Property = 19, "SET_WIDGET_PROPERTY", "D: change how a pin is shown.";
    Hardware = 20, "HARDWARE", "D, S: read and write pins.";
    Group = 21, "GROUP", "D: the writes in between belong to one moment.";
    Login = 29, "HARDWARE_LOGIN", "D: login with the token.";
    Redirect = 41, "CONNECT_REDIRECT", "S: connect to another server.";
    Debug = 55, "DEBUG_PRINT", "S: a text for the device's console.";
    EventLog = 64, "EVENT_LOG", "D: an event of the template has happened.";
    EventClear = 65, "EVENT_CLEAR", "D: an event is resolved.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip_and_stay_below_the_limit() {
        let known = (0..=u8::MAX).filter_map(Command::from_number).collect::<Vec<_>>();
        assert_eq!(known, Command::ALL);
        assert!(known.iter().all(|command| command.number() < crate::limits::COMMAND_NUMBERS));
        assert_eq!(Command::Login.to_string(), "HARDWARE_LOGIN");
    }
}
