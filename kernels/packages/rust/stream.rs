// SPDX-License-Identifier: Apache-2.0
#[repr(C)]
struct Model {
    arena: *mut u8,
    state: u32,
    received: u32,
    step: u32,
    made: [u16; @MADE@],
}

extern "C" {
    fn ev_model_begin(model: *mut Model, arena: *mut u8, arena_bytes: usize) -> i32;
    fn ev_model_push_rows(model: *mut Model, rows: *const c_void, count: u32) -> i32;
    fn ev_model_finish(model: *mut Model, outputs: *const *mut c_void) -> i32;
}

pub const ROWS: usize = @ROWS@;
pub const ROW_ELEMENTS: usize = @ROW_ELEMENTS@;

/// An image that comes by rows, from the top: it is never in memory whole.
pub struct Stream<'a> {
    model: Model,
    _arena: &'a mut Arena,
}

impl<'a> Stream<'a> {
    pub fn begin(arena: &'a mut Arena) -> Result<Self, Error> {
        let mut model = Model { arena: core::ptr::null_mut(), state: 0, received: 0, step: 0, made: [0; @MADE@] };
        // SAFETY: the arena is borrowed as long as the stream is there.
        checked(unsafe { ev_model_begin(&mut model, arena.0.as_mut_ptr(), ARENA_BYTES) })?;
        Ok(Stream { model, _arena: arena })
    }

    /// Push whole rows, any number of them.
    pub fn push_rows(&mut self, rows: &[@ELEMENT@]) -> Result<(), Error> {
        if rows.len() % ROW_ELEMENTS != 0 {
            return Err(Error::Rows);
        }
        let count = (rows.len() / ROW_ELEMENTS) as u32;
        // SAFETY: the slice has so many rows.
        checked(unsafe { ev_model_push_rows(&mut self.model, rows.as_ptr().cast(), count) })
    }

    pub fn finish(mut self, @OUTPUTS@) -> Result<(), Error> {
        let outputs = [@OUTPUT_POINTERS@];
        // SAFETY: every array has the length that the network writes.
        checked(unsafe { ev_model_finish(&mut self.model, outputs.as_ptr()) })
    }
}
