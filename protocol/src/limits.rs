//! Every bound of the wire, with its unit and reason. Relations that must hold are asserted at compile time.

/// Longest body of a frame that the server takes, bytes: the documentation's 2^15. The field could say 65,535.
pub const MAX_BODY_BYTES: usize = 32_768;

/// Longest first frame of a connection, bytes. A login needs 5 + 32; the rest is room for white space around the token.
pub const MAX_LOGIN_FRAME_BYTES: usize = 128;

/// Command numbers from here on do not exist in any dialect: the stream is not Blynk, or it lost bytes.
pub const COMMAND_NUMBERS: u8 = 100;

/// Length of a device token, characters: 24 random bytes in base64.
pub const TOKEN_BYTES: usize = 32;

/// Random bytes behind a token.
pub const TOKEN_SEED_BYTES: usize = 24;

/// Longest template id, bytes. Those in circulation have 11 to 13.
pub const MAX_TEMPLATE_ID_BYTES: usize = 16;

/// Longest value of a pin, all parts and their separators, bytes (the current cloud's figure for a string).
pub const MAX_VALUE_BYTES: usize = 1_024;

/// Pins that one SYNC or PROPERTY frame may list: one of each index. Without it one frame could ask for thousands of
/// answers of [`MAX_VALUE_BYTES`] each.
pub const MAX_PINS_LISTED: usize = 256;

/// Writes inside one GROUP; later ones get their own time. Our choice: a group is one row of a chart.
pub const GROUP_WRITES: u8 = 100;

/// Longest GROUP, seconds; a device that forgot to end it goes on without.
pub const GROUP_S: u32 = 10;

/// How far the explicit time of a GROUP may lie from the server's, ms: 31 days, the month of the batch interfaces.
pub const STAMP_RANGE_MS: u64 = 31 * 24 * 3_600 * 1_000;

/// Longest property name, bytes. The longest known one has 21.
pub const MAX_PROPERTY_NAME_BYTES: usize = 32;

/// Longest event code, bytes (our choice).
pub const MAX_EVENT_CODE_BYTES: usize = 64;

/// Longest event description, characters (the current cloud's figure).
pub const MAX_EVENT_DESCRIPTION_CHARS: usize = 300;

/// Longest name of a metadata field, bytes (our choice).
pub const MAX_META_NAME_BYTES: usize = 64;

/// Longest value of a metadata field, bytes: as a pin's.
pub const MAX_META_VALUE_BYTES: usize = MAX_VALUE_BYTES;

/// Longest push notification, characters (the legacy server's figure).
pub const MAX_PUSH_CHARS: usize = 255;

/// Longest SMS, characters (the legacy server's figure).
pub const MAX_SMS_CHARS: usize = 160;

/// Longest tweet, characters (the network's own figure).
pub const MAX_TWEET_CHARS: usize = 280;

/// Bridges of one connection (the legacy server's figure).
pub const BRIDGES: usize = 100;

/// What a device takes that announces no `buff-in`, bytes (the legacy server's figure: 255 less a header).
pub const DEFAULT_BUFF_IN_BYTES: usize = 250;

/// Longest host name in a redirect, bytes: what the C++ library keeps.
pub const MAX_REDIRECT_HOST_BYTES: usize = 63;

/// How long a device waits for the answer to its login, ms (C++ library 1.x).
pub const DEVICE_LOGIN_TIMEOUT_MS: u64 = 6_000;

/// A device gives up when it hears nothing for its heartbeat and this long, ms: three answer times.
pub const DEVICE_SILENCE_MS: u64 = 3 * DEVICE_LOGIN_TIMEOUT_MS;

/// Longest head of an HTTP request, bytes: request line and header fields.
pub const HTTP_HEAD_BYTES: usize = 8 * 1_024;

/// Header fields of a request or an answer.
pub const HTTP_HEADERS: usize = 64;

/// Longest body of an HTTP request, bytes (the legacy server's figure).
pub const HTTP_BODY_BYTES: usize = 512 * 1_024;

/// Chunks of one chunked body: many tiny ones cost more than they carry.
pub const HTTP_CHUNKS: usize = 1_024;

/// Longest line with the size of a chunk, bytes: 8 hexadecimal digits, an extension is not taken.
pub const HTTP_CHUNK_LINE_BYTES: usize = 10;

/// Writes or properties that one HTTP request may carry: one of each virtual pin.
pub const HTTP_WRITES: usize = 256;

/// Points of one batch (the current cloud's figure).
pub const BATCH_POINTS: usize = 10_000;

/// Longest payload of one WebSocket frame, bytes: one whole Blynk frame, and what one client puts into one frame.
pub const WS_PAYLOAD_BYTES: u64 = 64 * 1_024;

/// Longest payload of a WebSocket control frame, bytes (RFC 6455, 5.5).
pub const WS_CONTROL_BYTES: usize = 125;

/// Devices that one live socket may watch, and that one watch may list.
pub const LIVE_DEVICES: usize = 500;

/// Watched pins of one live socket, all its watches together.
pub const LIVE_PINS: usize = 4_096;

/// Watches of one live socket.
pub const LIVE_SETS: usize = 64;

/// Pins that one watch may list: one of each virtual pin.
pub const LIVE_WATCH_PINS: usize = 256;

/// Pins of one watch whose every value is wanted.
pub const LIVE_EVERY_PINS: usize = 16;

/// Values of such a pin, events, frames that wait for one slow live socket; later ones are counted as skipped.
pub const LIVE_RING: usize = 64;

/// Longest text of a live query, bytes.
pub const LIVE_QUERY_BYTES: usize = 512;

/// Longest name of a page's build, bytes.
pub const LIVE_BUILD_BYTES: usize = 64;

/// Longest message of a live socket, bytes: one WebSocket frame.
pub const LIVE_MESSAGE_BYTES: usize = 64 * 1_024;

/// Largest time and number of an event that a live socket carries: what browsers count exactly.
pub const LIVE_TIME_MS: u64 = (1 << 53) - 1;

/// Longest header of PROXY protocol version 2, bytes: 16 and the addresses and fields that proxies add.
pub const PROXY_HEADER_BYTES: usize = 1_024;

/// Other names of datastreams that a template has: one of each virtual pin.
pub const TEMPLATE_ALIASES: usize = 256;

/// Values of topics of the firmware's own that a template maps.
pub const TEMPLATE_TOPICS: usize = 64;

/// Metadata fields that a template names.
pub const TEMPLATE_FIELDS: usize = 64;

/// Longest topic that a template maps, bytes.
pub const MAX_TOPIC_BYTES: usize = 128;

/// Longest JSON pointer of a mapped topic, bytes.
pub const MAX_POINTER_BYTES: usize = 128;

/// Longest packet of MQTT that the server takes, bytes, fixed header included: as a frame. MQTT 5 clients are told.
pub const MQTT_PACKET_BYTES: usize = MAX_BODY_BYTES;

/// Longest CONNECT, bytes: token, client id, a will of [`MQTT_WILL_BYTES`], and room for properties.
pub const MQTT_CONNECT_BYTES: usize = 2_048;

/// Longest client id, characters (the current cloud's figure).
pub const MQTT_CLIENT_ID_CHARS: usize = 64;

/// Topic and payload of a will, bytes.
pub const MQTT_WILL_BYTES: usize = 1_088;

/// Filters of one session.
pub const MQTT_FILTERS: usize = 32;

/// Longest filter, bytes: `downlink/ds/` and the name of a datastream.
pub const MQTT_FILTER_BYTES: usize = 128;

/// Messages above QoS 0 that a client may send before an answer. Each is answered at once; said to MQTT 5 clients only.
pub const MQTT_RECEIVE_MAXIMUM: u16 = 64;

/// Names that one batch, `get/ds` or `get/meta` may list: one of each virtual pin.
pub const MQTT_LISTED_NAMES: usize = 256;

/// Structure: the state of an MQTT session, within the connection; a will and filters by name are one allocation more.
pub const MQTT_SESSION_BYTES: usize = 24;

/// Structure: the state of the wire, within the connection.
pub const SESSION_BYTES: usize = 16;

const _: () = assert!(MAX_BODY_BYTES <= u16::MAX as usize, "the header counts bodies in 16 bits");
const _: () = assert!(MAX_LOGIN_FRAME_BYTES > 5 + TOKEN_BYTES, "a login must fit");
const _: () = assert!(TOKEN_SEED_BYTES * 4 == TOKEN_BYTES * 3, "base64 without padding");
const _: () = assert!(MAX_TEMPLATE_ID_BYTES <= u8::MAX as usize, "its length is kept in 8 bits");
const _: () = assert!("vw".len() + 1 + "255".len() + 1 + MAX_VALUE_BYTES <= MAX_BODY_BYTES, "every value must fit");
const _: () =
    assert!("meta".len() + 1 + "set".len() + 1 + MAX_META_NAME_BYTES + 1 + MAX_META_VALUE_BYTES <= MAX_BODY_BYTES);
const _: () = assert!(MAX_EVENT_CODE_BYTES + 1 + MAX_EVENT_DESCRIPTION_CHARS * 4 <= MAX_BODY_BYTES);
const _: () = assert!("vr".len() + MAX_PINS_LISTED * 4 <= MAX_BODY_BYTES, "all pins can be listed at once");
const _: () = assert!(MQTT_WILL_BYTES + TOKEN_BYTES + MQTT_CLIENT_ID_CHARS * 4 + 64 <= MQTT_CONNECT_BYTES);
const _: () = assert!(MQTT_CONNECT_BYTES <= MQTT_PACKET_BYTES);
const _: () = assert!("ds/".len() + MAX_VALUE_BYTES <= MQTT_PACKET_BYTES, "every value must fit");
const _: () = assert!(LIVE_MESSAGE_BYTES as u64 <= WS_PAYLOAD_BYTES, "a message is one frame");
const _: () =
    assert!(LIVE_DEVICES * 4 + LIVE_WATCH_PINS * 2 + LIVE_EVERY_PINS * 2 + 16 <= LIVE_MESSAGE_BYTES, "a watch fits");
const _: () = assert!(LIVE_MESSAGE_BYTES <= u16::MAX as usize + 1, "lengths are counted in 16 bits");
