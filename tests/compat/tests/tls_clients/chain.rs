//! Certificates as public authorities give them, made with OpenSSL's program.
//!
//! Five keys: a root that devices trust, a younger root that it has signed, one that this has signed in turn, an
//! intermediate, and the server's own. The last four certificates are served, as long as chains of Let's Encrypt's newer
//! hierarchy get, and they do not fit into 2,048 bytes.

use std::path::{Path, PathBuf};
use std::process::Command;

use linchpin_compat::{BackEnd, Server};

/// Of the keys of the server's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// ECDSA on P-256.
    Ecdsa,
    /// RSA of 2,048 bits.
    Rsa,
}

impl Kind {
    const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Ecdsa => &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
            Self::Rsa => &["-newkey", "rsa:2048"],
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Ecdsa => "ecdsa",
            Self::Rsa => "rsa",
        }
    }
}

/// The name in the server's certificate.
pub(crate) const NAME: &str = "devices.example";
/// Bytes of DER that a chain has at least: what a stock ESP8266 sketch receives into, and some more.
pub(crate) const CHAIN_BYTES: usize = 2_048 + 256;

/// Run OpenSSL's program in a folder; its standard output.
pub(crate) fn openssl(folder: &Path, args: &[&str]) -> String {
    let ran = Command::new("openssl").args(args).current_dir(folder).output().expect("openssl: run make setup");
    assert!(ran.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("its output is text")
}

/// Make an authority that signs itself: `NAME.pem` and `NAME.key`. Returns the certificate's path.
pub(crate) fn authority(folder: &Path, kind: Kind, name: &str) -> PathBuf {
    let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
    let mut args = vec!["req", "-x509", "-nodes", "-sha256", "-days", "30", "-keyout", &key, "-out", &certificate];
    let subject = format!("/C=XX/O=Linchpin tests, not a real authority/CN={name}");
    let extension = "keyUsage=critical,keyCertSign,cRLSign";
    args.extend(["-subj", &subject, "-addext", extension]);
    args.extend(kind.options());
    openssl(folder, &args);
    folder.join(certificate)
}

/// Make a key and a certificate for it, signed by `by`: `NAME.pem` and `NAME.key`.
pub(crate) fn signed(folder: &Path, kind: Kind, name: &str, by: &str, extensions: &str) {
    let (key, request, certificate) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
    let subject = format!("/C=XX/O=Linchpin tests, not a real authority/CN={name}");
    let mut args = vec!["req", "-new", "-nodes", "-keyout", &key, "-out", &request, "-subj", &subject];
    args.extend(kind.options());
    openssl(folder, &args);
    let extension_file = format!("{name}.ext");
    // What public authorities write into every certificate, and its length.
    let policies = "certificatePolicies=2.23.140.1.2.1\nauthorityInfoAccess=caIssuers;URI:http://ca.example/issuer.der\n\
                    crlDistributionPoints=URI:http://ca.example/revoked.crl\n\
                    subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";
    std::fs::write(folder.join(&extension_file), format!("{policies}{extensions}")).expect("write extensions");
    let (ca, ca_key) = (format!("{by}.pem"), format!("{by}.key"));
    let args = ["x509", "-req", "-sha256", "-days", "20", "-in", &request, "-CA", &ca, "-CAkey", &ca_key];
    let more = ["-CAcreateserial", "-extfile", &extension_file, "-out", &certificate];
    openssl(folder, &[&args[..], &more[..]].concat());
}

/// Make a chain in `folder`: `KIND.chain` and `KIND.key`. Returns the path of its root.
pub(crate) fn chain(folder: &Path, kind: Kind) -> PathBuf {
    let name = kind.name();
    let [root, younger, youngest, intermediate, leaf] =
        ["root", "younger", "youngest", "intermediate", "leaf"].map(|of| format!("{name}-{of}"));
    let root_path = authority(folder, kind, &root);
    let ca = "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\n";
    signed(folder, kind, &younger, &root, ca);
    signed(folder, kind, &youngest, &younger, ca);
    signed(folder, kind, &intermediate, &youngest, ca);
    let more_names: String = (0..24).map(|n| format!(",DNS:region-{n}.{NAME}")).collect();
    let server = format!(
        "basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n\
         subjectAltName=DNS:{NAME}{more_names},IP:127.0.0.1\n"
    );
    signed(folder, kind, &leaf, &intermediate, &server);
    let pem: String = [&leaf, &intermediate, &youngest, &younger]
        .map(|of| std::fs::read_to_string(folder.join(format!("{of}.pem"))).expect("a certificate"))
        .concat();
    let base64_bytes: usize = pem.lines().filter(|line| !line.starts_with('-')).map(str::len).sum();
    assert!(base64_bytes / 4 * 3 > CHAIN_BYTES, "the chain is no realistic one: {} bytes", base64_bytes / 4 * 3);
    std::fs::write(folder.join(format!("{name}.chain")), pem).expect("write the chain");
    let (from, to) = (folder.join(format!("{leaf}.key")), folder.join(format!("{name}.key")));
    std::fs::copy(from, to).expect("copy the key");
    root_path
}

/// A server with these chains, and the roots that its clients trust.
pub(crate) fn serve(kinds: &[Kind], back_end: BackEnd, layer: &str) -> (Server, Vec<PathBuf>) {
    let certificates: String = kinds
        .iter()
        .map(|kind| format!("[[certificate]]\nchain = \"@/{0}.chain\"\nkey = \"@/{0}.key\"\n", kind.name()))
        .collect();
    let driver = back_end.name();
    let config = format!(
        "[listen]\ntls = [\"127.0.0.1:0\"]\n[data]\ndir = \"@/data\"\n[engine]\nshards = 2\ndriver = \"{driver}\"\n\
         [tls]\nrecord_layer = \"{layer}\"\nnames = [\"{NAME}\"]\n{certificates}\
         [[device]]\nname = \"one\"\n[[device]]\nname = \"two\"\n"
    );
    let start = Server::serve(&config);
    let roots = kinds.iter().map(|kind| chain(start.folder(), *kind)).collect();
    (start.start(), roots)
}
