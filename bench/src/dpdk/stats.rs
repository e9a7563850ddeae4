//! What `show port stats` prints, as figures.

/// Figures of a line of `show port stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
    /// Frames that the port sent since it was opened.
    TxPackets(u64),
    /// Its mean rate since the last look, frames per second.
    TxRate(u64),
}

/// The figure in a line, where there is one that is of use here.
pub(super) fn figure(line: &str) -> Option<Figure> {
    let after = |key: &str| {
        let (_, rest) = line.split_once(key)?;
        rest.split_whitespace().next()?.parse().ok()
    };
    after("TX-packets:")
        .map(Figure::TxPackets)
        .or_else(|| after("Tx-pps:").map(Figure::TxRate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_page_of_statistics() {
        let page = "
  ######################## NIC statistics for port 0  ########################
  RX-packets: 123        RX-missed: 0          RX-bytes:  9225
  RX-errors: 0
  RX-nombuf:  0
  TX-packets: 98765      TX-errors: 7          TX-bytes:  7407375

  Throughput (since last show)
  Rx-pps:     11903451          Rx-bps:   7142070600
  Tx-pps:     10345098          Tx-bps:   6207059144
  ############################################################################";
        let figures: Vec<_> = page.lines().filter_map(figure).collect();
        assert_eq!(
            figures,
            [Figure::TxPackets(98_765), Figure::TxRate(10_345_098)]
        );
    }

    #[test]
    fn other_lines_have_none() {
        assert_eq!(figure("TX-packets: many"), None);
        assert_eq!(figure("testpmd> "), None);
    }
}
