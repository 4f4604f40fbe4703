//! Stands in for the new process of an upgrade, and fails at one step of it: `successor STEP exit|kill|lie|full|version|hang`.

use std::os::fd::OwnedFd;
use std::time::Duration;

use linchpin_driver::Passage;
use linchpin_shard::handover::{FormatRange, HandoverMessage, read_message, write_message};

struct Talk {
    passage: Passage,
    bytes: Vec<u8>,
    /// Held, as a process that took them would.
    descriptors: Vec<OwnedFd>,
    step: String,
    mode: String,
}

impl Talk {
    fn say(&self, message: &HandoverMessage) {
        let mut out = Vec::new();
        write_message(&mut out, message);
        self.passage.send(&out, &[]).expect("the old process reads");
    }

    fn hear(&mut self) -> HandoverMessage {
        loop {
            if let Some((message, len)) = read_message(&self.bytes).expect("a message") {
                self.bytes.drain(..len);
                return message;
            }
            let mut chunk = vec![0; 65_536];
            let n = self.passage.receive(&mut chunk, &mut self.descriptors).expect("the old process speaks");
            if n == 0 {
                std::process::exit(0);
            }
            self.bytes.extend_from_slice(&chunk[..n]);
        }
    }

    /// Fail here, if this is the step.
    fn at(&self, step: &str) {
        if self.step != step {
            return;
        }
        match self.mode.as_str() {
            "exit" => std::process::exit(9),
            "kill" => {
                let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            }
            "full" => {
                self.say(&HandoverMessage::Failed { text: "No space left on device (os error 28)".to_owned() });
                std::thread::sleep(Duration::from_secs(600));
            }
            "version" => {
                let formats = FormatRange { oldest: u16::MAX, newest: u16::MAX };
                self.say(&HandoverMessage::Hello { formats, version: "of another age".to_owned() });
                std::thread::sleep(Duration::from_secs(600));
            }
            "lie" => {
                self.say(&HandoverMessage::Complete { taken: 12_345 });
                std::thread::sleep(Duration::from_secs(600));
            }
            _ => std::thread::sleep(Duration::from_secs(600)),
        }
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().expect("STEP and how to fail");
    let (step, mode) = (next(), next());
    let passage = Passage::of_stdin().expect("started by a server");
    let mut talk = Talk { passage, bytes: Vec::new(), descriptors: Vec::new(), step, mode };
    talk.at("starting");
    talk.say(&HandoverMessage::Hello { formats: FormatRange::OURS, version: "stand-in".to_owned() });
    let _ = talk.hear();
    talk.at("offered");
    talk.say(&HandoverMessage::Ready);
    let mut taken = 0;
    loop {
        match talk.hear() {
            HandoverMessage::Listeners(_) => talk.at("listeners"),
            HandoverMessage::Stand => {
                talk.at("opening");
                talk.say(&HandoverMessage::Opened);
            }
            HandoverMessage::Batch(freights) => {
                talk.at("moving");
                taken += freights.len() as u64;
                talk.say(&HandoverMessage::Taken(vec![0; freights.len()]));
            }
            HandoverMessage::End { .. } => {
                talk.at("counting");
                talk.say(&HandoverMessage::Complete { taken });
            }
            _ => std::process::exit(1),
        }
    }
}
