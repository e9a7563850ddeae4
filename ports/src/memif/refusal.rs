//! Why a peer is disconnected; the text goes to it in DISCONNECT, at most 95 octets.
//!
//! Must never carry what the peer itself wrote but numbers.

/// What a peer did that ends its connection, or what it lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // The messages say what each is.
pub(super) enum Refusal {
    #[error("message of {octets} octets; a message has 128")]
    MessageSize { octets: usize },
    #[error("message type {kind} is not of memif 2.0")]
    MessageType { kind: u16 },
    #[error("{message} is not expected now")]
    OutOfTurn { message: &'static str },
    #[error("the master closed the handshake")]
    Rejected,
    #[error("version {}.{}; spoken here: 2.0", version >> 8, version & 0xff)]
    Version { version: u16 },
    #[error("interface id {id} is not here, {here} is")]
    Id { id: u32, here: u32 },
    #[error("only Ethernet mode is carried")]
    Mode,
    #[error("wrong secret")]
    Secret,
    #[error("already connected")]
    Connected,
    #[error("handshake took longer than {seconds} s")]
    Slow { seconds: u64 },
    #[error("too many connections wait for their handshake")]
    Crowd,
    #[error("message without its file descriptor")]
    NoDescriptor,
    #[error("region {index}; expected: {expected}")]
    RegionIndex { index: u16, expected: usize },
    #[error("region {index}: {octets} octets; allowed: 1 to {limit}")]
    RegionSize { index: u16, octets: u64, limit: u64 },
    #[error("region {index}: its file is shorter than {octets} octets")]
    RegionShort { index: u16, octets: u64 },
    #[error("region {index}: no memfd of ordinary pages sealed with F_SEAL_SHRINK")]
    RegionSeal { index: u16 },
    #[error("region {index} cannot be mapped")]
    RegionMap { index: u16 },
    #[error("ring {index}; allowed: 0 to {last}, each once, in order")]
    RingIndex { index: u16, last: u16 },
    #[error("ring {index}: size 1 << {log2_size}; allowed: 1 << 1 to 1 << {largest}")]
    RingSize {
        index: u16,
        log2_size: u8,
        largest: u8,
    },
    #[error("ring {index} is not inside of region {region} at a multiple of 8")]
    RingPlace { index: u16, region: u16 },
    #[error("ring {index} lacks the cookie")]
    Cookie { index: u16 },
    #[error("ring {index}: its interrupt is no file to wait for")]
    Interrupt { index: u16 },
    #[error("a ring of each direction is needed")]
    NoRings,
    #[error("this end still holds earlier connections")]
    Busy,
    #[error("this end has no memory to share")]
    NoMemory,
    #[error("ring index beyond the ring")]
    RingOverrun,
    #[error("descriptor outside of its region")]
    DescriptorPlace,
    #[error("frame in more than {limit} buffers, or without end")]
    ChainLength { limit: u16 },
    #[error("buffer of {length} octets offered; allowed: {least} at least")]
    BufferSize { length: u32, least: u32 },
    #[error("all buffers of the ring hold no frame of {octets} octets")]
    RingTooSmall { octets: u32 },
    #[error("interface closed")]
    Closed,
}
