//! Why a watch was not begun, or a write not carried out: codes that pages have sentences for.

use linchpin_protocol::Fault;

use crate::device::verbs::Refused;

macro_rules! refusals {
    ($( $name:ident = $code:literal, $what:literal, $fix:literal; )*) => {
        /// Why something that a live socket asks for is refused: `E07` codes, beside those of [`crate::End`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum LiveRefusal { $( #[doc = $what] $name = $code, )* }

        impl LiveRefusal {
            /// All of them, in the order of their codes.
            pub const ALL: &'static [LiveRefusal] = &[ $( LiveRefusal::$name, )* ];

            /// What happened, one sentence.
            #[must_use]
            pub const fn what(self) -> &'static str { match self { $( LiveRefusal::$name => $what, )* } }

            /// What to do about it, one sentence.
            #[must_use]
            pub const fn fix(self) -> &'static str { match self { $( LiveRefusal::$name => $fix, )* } }
        }
    };
}

refusals! {
    NoDevice = 701, "There is no such device, or it may not be seen.",
        "Check the device's number and the person's role.";
    NotAllowed = 702, "The person's role does not allow to write to this device.",
        "Ask whoever manages people for the permission device.control.";
    BadValue = 703, "The device's template does not take this pin or value.",
        "Write a value within the range of the datastream.";
    TooLarge = 704, "The value does not fit into the device's receive buffer.",
        "Write a shorter value, or raise BLYNK_MAX_READBYTES in the sketch.";
    TooOften = 705, "More values were written than the socket may write in a second.",
        "Write less often.";
    NotStored = 706, "The server's disk takes nothing at the moment.",
        "Ask the server's operator to look at its disk.";
    TooManyDevices = 707, "The socket would watch more devices than it may.",
        "Watch what is on the screen, 500 devices at most.";
    TooManyPins = 708, "The socket would watch more pins than it may.",
        "Name fewer pins, 4,096 in all at most.";
    TooManyWatches = 709, "The socket has as many watches as it may have.",
        "End watches that nobody looks at, 64 at most.";
    Unseen = 710, "There is no such organization, or it may not be seen.",
        "Check the organization and the person's role.";
    Crowded = 711, "The server is too busy for this.",
        "Try again in a moment.";
    NoRows = 712, "A live query was asked for rows; it only says when the list would be another one.",
        "Ask the list of devices, and watch those of its devices that are shown.";
}

impl LiveRefusal {
    /// The number in the code.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }
}

impl std::fmt::Display for LiveRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "E{:04}", self.number())
    }
}

impl From<Refused> for LiveRefusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::TooLarge { .. } | Refused::Fault(Fault::ValueTooLong { .. }) => Self::TooLarge,
            Refused::NotStored | Refused::StoreFailed => Self::NotStored,
            _ => Self::BadValue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_apart_from_those_of_ends_and_explained() {
        for pair in LiveRefusal::ALL.windows(2) {
            assert!(pair[0].number() < pair[1].number());
        }
        for refusal in LiveRefusal::ALL {
            assert!(crate::End::ALL.iter().all(|end| end.number() != refusal.number()), "{refusal} is an end's");
            assert!(refusal.what().ends_with('.') && refusal.fix().ends_with('.'), "{refusal} needs sentences");
        }
    }
}
