//! What the shards hold and count.

use linchpin_protocol::blynk::Command as Wire;
use linchpin_shard::ShardStatus;

use super::figure::{About, Counter, Figure, Figures};

const fn number(value: u64) -> Figure {
    Figure::Number(value)
}

/// What a shard itself counts. A new one stands here, in [`ShardStatus`], and nowhere else.
pub const OF_SHARD: &[Counter<ShardStatus>] = &[
    Counter::gauge("online", "linchpin_devices_online", "Devices with a logged-in connection.", |s: &ShardStatus| {
        number(s.online)
    })
    .column("online"),
    Counter::gauge("connections", "linchpin_connections", "Connections in any state.", |s: &ShardStatus| {
        number(s.connections)
    })
    .column("connections"),
    Counter::gauge("devices", "linchpin_devices", "Devices that live here.", |s: &ShardStatus| number(s.devices))
        .column("devices"),
    Counter::total(
        "frames",
        "linchpin_frames_received_total",
        "Frames received from logged-in devices.",
        |s: &ShardStatus| number(s.frames),
    )
    .column("frames"),
    Counter::total("commands", "linchpin_frames_total", "The same by command.", |s: &ShardStatus| {
        let name = |number: u8| Wire::from_number(number).map_or_else(|| number.to_string(), |it| it.to_string());
        Figure::Labelled(s.commands.iter().map(|(number, count)| (name(*number), *count)).collect())
    })
    .by("command"),
    Counter::total(
        "requests",
        "linchpin_http_requests_total",
        "Requests to the HTTP device API.",
        |s: &ShardStatus| number(s.requests),
    )
    .column("http"),
    Counter::total("logins", "linchpin_logins_total", "Successful logins of devices.", |s: &ShardStatus| {
        number(s.logins)
    })
    .column("logins"),
    Counter::total(
        "dropped",
        "linchpin_dropped_messages_total",
        "Messages and HTTP requests that a quota refused.",
        |s: &ShardStatus| number(s.dropped),
    )
    .column("dropped"),
    Counter::total(
        "moved_out",
        "linchpin_connections_moved_total",
        "Connections that moved to the shard of their device.",
        |s: &ShardStatus| number(s.moved_out),
    )
    .column("moves"),
    Counter::gauge(
        "ledger_bytes",
        "linchpin_ledger_bytes",
        "Memory of unfinished input and waiting output of all connections.",
        |s: &ShardStatus| number(s.ledger_bytes),
    )
    .column("ledger bytes"),
    Counter::gauge("diary_bytes", "linchpin_diary_bytes", "Memory of the diary.", |s: &ShardStatus| {
        number(s.diary_bytes)
    }),
    Counter::total(
        "handshakes_full",
        "linchpin_tls_handshakes_full_total",
        "TLS handshakes that were completed in full.",
        |s: &ShardStatus| number(s.handshakes_full),
    ),
    Counter::total(
        "handshakes_resumed",
        "linchpin_tls_handshakes_resumed_total",
        "TLS handshakes that continued an earlier session.",
        |s: &ShardStatus| number(s.handshakes_resumed),
    ),
    Counter::gauge(
        "handshakes_running",
        "linchpin_tls_handshakes_running",
        "TLS handshakes under way.",
        |s: &ShardStatus| number(s.handshakes_running),
    ),
    Counter::gauge(
        "handshakes_waiting",
        "linchpin_tls_handshakes_waiting",
        "Clients that wait for their TLS handshake to begin.",
        |s: &ShardStatus| number(s.handshakes_waiting),
    ),
    Counter::gauge(
        "assembly_bytes",
        "linchpin_tls_assembly_bytes",
        "Bytes buffered for incomplete TLS records.",
        |s: &ShardStatus| number(s.assembly_bytes),
    ),
    Counter::total(
        "asks",
        "linchpin_asks_total",
        "HTTP requests passed on to the control plane.",
        |s: &ShardStatus| number(s.asks),
    ),
    Counter::total(
        "asks_refused",
        "linchpin_asks_refused_total",
        "HTTP requests to the control plane that a shard refused: malformed, of a foreign host, or too many.",
        |s: &ShardStatus| number(s.asks_refused),
    ),
    Counter::gauge(
        "asks_under_way",
        "linchpin_asks_under_way",
        "HTTP requests that the control plane answers now, and files that are being written.",
        |s: &ShardStatus| number(s.asks_under_way),
    ),
    Counter::gauge(
        "ask_bytes",
        "linchpin_ask_bytes",
        "Memory of HTTP requests under way: bytes of bodies that wait.",
        |s: &ShardStatus| number(s.ask_bytes),
    ),
    Counter::gauge(
        "live_sockets",
        "linchpin_live_sockets",
        "Live sockets: pages and scripts that watch.",
        |s: &ShardStatus| number(s.live_sockets),
    ),
    Counter::gauge(
        "live_watched",
        "linchpin_live_watched_devices",
        "Devices, wherever they live, that live sockets of the shard watch.",
        |s: &ShardStatus| number(s.live_watched),
    ),
    Counter::gauge(
        "live_watchers",
        "linchpin_live_watchers",
        "Devices of the shard that are watched, counted once a watching shard.",
        |s: &ShardStatus| number(s.live_watchers),
    ),
    Counter::gauge(
        "live_bytes",
        "linchpin_live_bytes",
        "Memory of live sockets and of what is known of the devices that they watch.",
        |s: &ShardStatus| number(s.live_bytes),
    ),
    Counter::total(
        "live_flushes",
        "linchpin_live_flushes_total",
        "Times that a live socket was told of changes.",
        |s: &ShardStatus| number(s.live_flushes),
    ),
    Counter::total(
        "unsendable",
        "linchpin_unsendable_frames_total",
        "Frames that were not sent because the device's receive buffer is too small for them.",
        |s: &ShardStatus| number(s.unsendable),
    ),
    Counter::gauge(
        "online_mqtt",
        "linchpin_mqtt_devices_online",
        "Devices with a logged-in connection over MQTT.",
        |s: &ShardStatus| number(s.online_mqtt),
    ),
    Counter::total(
        "packets",
        "linchpin_mqtt_packets_received_total",
        "Packets received from logged-in MQTT devices.",
        |s: &ShardStatus| number(s.packets),
    ),
    Counter::total(
        "declined",
        "linchpin_mqtt_messages_declined_total",
        "Messages over MQTT that did nothing; see docs/mqtt.md.",
        |s: &ShardStatus| number(s.declined),
    ),
    Counter::total(
        "wills",
        "linchpin_mqtt_wills_total",
        "Wills of MQTT devices that were written.",
        |s: &ShardStatus| number(s.wills),
    ),
    Counter::gauge(
        "will_bytes",
        "linchpin_mqtt_will_bytes",
        "Memory of wills that wait for their delay.",
        |s: &ShardStatus| number(s.will_bytes),
    ),
    Counter::gauge(
        "absent",
        "linchpin_devices_absent",
        "Devices that are away and still shown as online: the wait of their template is not over.",
        |s: &ShardStatus| number(s.absent),
    ),
    Counter::gauge("draining", "linchpin_draining", "1 while the server is being drained.", |s: &ShardStatus| {
        Figure::Flag(s.draining)
    }),
    Counter::total(
        "ends",
        "linchpin_ends_total",
        "Ended connections by end code; see docs/errors.md.",
        |s: &ShardStatus| Figure::Labelled(s.ends.iter().map(|(end, count)| (end.to_string(), *count)).collect()),
    )
    .by("code"),
];

/// What one shard and the thread around it say, and when it has been asked.
#[derive(Clone, Debug, Default)]
pub struct ShardFigures {
    /// The shard's.
    pub shard: ShardStatus,
    /// The thread's, in the order of [`crate::Facts::counters`].
    pub thread: Vec<Figure>,
}

impl ShardFigures {
    /// All of them by key.
    pub(crate) fn all(&self, of_thread: &[About]) -> Figures {
        let own = OF_SHARD.iter().map(|counter| (counter.about.key.to_owned(), (counter.read)(&self.shard)));
        let others = of_thread.iter().zip(&self.thread);
        Figures(own.chain(others.map(|(about, figure)| (about.key.to_owned(), figure.clone()))).collect())
    }
}

/// The lists of all counters, the shard's own first.
pub(crate) fn abouts(of_thread: &[About]) -> impl Iterator<Item = &About> {
    OF_SHARD.iter().map(|counter| &counter.about).chain(of_thread)
}

/// What all shards say together.
pub(crate) fn sum(parts: &[Figures], of_thread: &[About]) -> Figures {
    let mut all = Figures::default();
    for about in abouts(of_thread) {
        for figure in parts.iter().filter_map(|part| part.get(about.key)) {
            match all.0.get_mut(about.key) {
                Some(sum) => sum.add(figure, about.over),
                None => drop(all.0.insert(about.key.to_owned(), figure.clone())),
            }
        }
    }
    all
}
