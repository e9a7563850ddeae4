//! Contents of fields for tests: which they are does not matter, that they arrive does.

use pinode_signaling::isp::message::{Message, Type};
use pinode_signaling::isp::table::{Field, Row};
use pinode_signaling::isp::{Aal, Blli, ErrorCode, Pvc, Sap, Vcc};
use pinode_signaling::{Address, Class, Peak, Qos, Traffic};

/// ECONNREFUSED
pub const REFUSED: i32 = -111;

pub fn vcc(number: u64) -> Vcc {
    Vcc::new(number).expect("not 0")
}

pub fn code() -> ErrorCode {
    ErrorCode::new(REFUSED).expect("negative")
}

pub fn address(last: u8) -> Address {
    let mut address = Address([0x47; 20]);
    address.0[19] = last;
    address
}

pub fn sap(last: u8) -> Sap {
    let mut sap = Sap::from(address(last));
    sap.bllis.push(blli(last));
    sap
}

pub fn blli(octet: u8) -> Blli {
    Blli::new(0, [0; 2], 11, [octet, 1, 2, 3, 4, 5]).expect("it has a protocol")
}

pub fn qos() -> Qos {
    Qos {
        transmit: Some(Traffic {
            class: Class::Cbr,
            peak: Some(Peak::Bits(10_000_000)),
            cdvt_ns: 100_000,
            max_sdu: 1280,
        }),
        receive: Some(Traffic {
            class: Class::Ubr,
            peak: None,
            cdvt_ns: 0,
            max_sdu: 64,
        }),
    }
}

pub fn pvc(label: u32) -> Pvc {
    Pvc {
        interface: 2,
        vn: 3,
        label,
    }
}

/// Puts a field into a message.
pub fn put(message: &mut Message, field: Field) {
    match field {
        Field::Vcc => message.vcc = Some(vcc(7)),
        Field::ListenVcc => message.listen_vcc = Some(vcc(8)),
        Field::Reply => message.reply = REFUSED,
        Field::Aal => message.aal = Some(Aal::FIVE),
        Field::Pvc if message.kind == Type::ItfNotify => {
            message.pvc = Some(Pvc {
                interface: 2,
                vn: 0,
                label: 0,
            });
        }
        Field::Pvc => message.pvc = Some(pvc(16)),
        Field::Local => message.local = Some(address(1)),
        Field::Qos => message.qos = Some(qos()),
        Field::Svc => message.svc = Some(address(2)),
        Field::Blli => message.bllis.push(blli(1)),
        Field::Session => message.session = 1,
    }
}

/// Takes a field out of a message.
pub fn take(message: &mut Message, field: Field) {
    match field {
        Field::Vcc => message.vcc = None,
        Field::ListenVcc => message.listen_vcc = None,
        Field::Reply => message.reply = 0,
        Field::Aal => message.aal = None,
        Field::Pvc => message.pvc = None,
        Field::Local => message.local = None,
        Field::Qos => message.qos = None,
        Field::Svc => message.svc = None,
        Field::Blli => message.bllis.clear(),
        Field::Session => message.session = 0,
    }
}

/// The message of a row with the fields that it must have.
pub fn of_row(row: Row) -> Message {
    let mut message = Message::new(row.kind());
    for field in row.required() {
        put(&mut message, *field);
    }
    message
}
