//! Who has a port that this server wants.

use std::fs;
use std::net::SocketAddr;

/// State of a listening socket in /proc/net/tcp.
const LISTENING: &str = "0A";

/// The program that listens on the port of an address, as far as this user may see it: `nginx (pid 812)`.
pub(super) fn of(address: SocketAddr) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().filter_map(|path| fs::read_to_string(path).ok());
    let inodes: Vec<String> = tables.flat_map(|table| listening(&table, address.port())).collect();
    let pid = fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let held = fs::read_dir(entry.path().join("fd")).ok()?.flatten().filter_map(|fd| fs::read_link(fd.path()).ok());
        let mut held = held.filter_map(|link| link.to_str().map(str::to_owned));
        held.any(|link| inodes.iter().any(|inode| link == format!("socket:[{inode}]"))).then_some(pid)
    })?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(format!("{} (pid {pid})", name.trim()))
}

/// Inodes of the sockets that listen on a port.
fn listening(table: &str, port: u16) -> Vec<String> {
    let wanted = format!("{port:04X}");
    let found = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let local = fields.get(1)?.rsplit_once(':')?.1;
        let is_it = local == wanted && *fields.get(3)? == LISTENING;
        fields.get(9).filter(|_| is_it).map(|inode| (*inode).to_owned())
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_listens_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let said = of(listener.local_addr().expect("an address")).expect("this process");
        assert!(said.ends_with(&format!("(pid {})", std::process::id())), "{said}");
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                     0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 0 0 4711 1\n1: 0100007F:1F90 00000000:0001 01 0:0 0:0 0 0 0 9 1\n";
        assert_eq!((listening(table, 8_080), listening(table, 80)), (vec!["4711".to_owned()], Vec::new()));
    }
}
