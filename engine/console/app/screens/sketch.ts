// Programs for boards, with the device's token and this server's address filled in.
import type { MadeDevice } from '../api/types.ts';

export type Board = 'esp32' | 'esp8266' | 'python' | 'edgent';

/** A C string literal's inside. */
const quoted = (text: string): string => text.replace(/["\\]/g, '\\$&');

/** A sketch that logs in, sends a number each second on V0 and switches its LED with V1. */
export function sketch(made: MadeDevice, board: Board): string {
  if (board === 'python') return python(made);
  const [wifi, blynk] = board === 'esp32' ? ['WiFi.h', 'BlynkSimpleEsp32.h'] : ['ESP8266WiFi.h', 'BlynkSimpleEsp8266.h'];
  return `#define BLYNK_PRINT Serial
#define BLYNK_AUTH_TOKEN "${quoted(made.token)}"

#include <${wifi}>
#include <${blynk}>

char ssid[] = "YOUR-WIFI";
char pass[] = "YOUR-PASSWORD";
BlynkTimer timer;

BLYNK_WRITE(V1) {
  digitalWrite(LED_BUILTIN, param.asInt());
}

void sendUptime() {
  Blynk.virtualWrite(V0, millis() / 1000);
}

void setup() {
  Serial.begin(115200);
  pinMode(LED_BUILTIN, OUTPUT);
  Blynk.begin(BLYNK_AUTH_TOKEN, ssid, pass, "${quoted(made.host)}", ${made.port});
  timer.setInterval(1000L, sendUptime);
}

void loop() {
  Blynk.run();
  timer.run();
}
`;
}

const python = (made: MadeDevice): string => `# pip install blynklib
import time
import blynklib

blynk = blynklib.Blynk("${quoted(made.token)}", server="${quoted(made.host)}", port=${made.port})

@blynk.handle_event("write V1")
def on_switch(pin, value):
    print("V1 is", value[0])

last = 0
while True:
    blynk.run()
    if time.time() - last > 1:
        last = time.time()
        blynk.virtual_write(0, int(last) % 100)
`;

/** What an Edgent board needs, for its own set-up page. */
export const edgent = (made: MadeDevice): string => `// Settings.h of Blynk.Edgent: nothing to change.
// Join the board's access point "Blynk ...", open http://192.168.4.1/ and enter:
//   host   ${made.host}
//   port   ${made.port_tls}
//   token  ${made.token}
`;

/** The address of a board's own set-up page that hands everything over. */
export function hotspotLink(made: MadeDevice, ssid: string, password: string): string {
  const parts = new URLSearchParams({ ssid, pass: password, blynk: made.token, host: made.host, port_ssl: String(made.port_tls), save: '1' });
  return `http://192.168.4.1/config?${parts.toString()}`;
}
