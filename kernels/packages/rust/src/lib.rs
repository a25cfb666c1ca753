// SPDX-License-Identifier: Apache-2.0
//! The network @NAME@ as integers. Written by edgevit.
#![no_std]

use core::ffi::c_void;

pub const HASH: &str = "@HASH@";
pub const ARENA_BYTES: usize = @ARENA@;
@SIZES@

/// What a call returns where it computed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Not begun, or finished already.
    Order,
    /// More rows than the image has, or fewer when it is finished.
    Rows,
    /// No arena, too small, or not aligned to 16 bytes.
    Arena,
    /// Weights kept outside the program are not those of the model.
    Weights,
    Other(i32),
}

fn checked(status: i32) -> Result<(), Error> {
    match status {
        0 => Ok(()),
        -1 => Err(Error::Order),
        -2 => Err(Error::Rows),
        -3 => Err(Error::Arena),
        -4 => Err(Error::Weights),
        other => Err(Error::Other(other)),
    }
}

/// Memory that the network works in@ARENA_NOTE@
#[repr(C, align(16))]
pub struct Arena([u8; ARENA_BYTES]);

impl Arena {
    pub const fn new() -> Self {
        Arena([0; ARENA_BYTES])
    }
@RESET@}

impl Default for Arena {
    fn default() -> Self {
        Self::new()
    }
}

extern "C" {
    fn ev_model_run(inputs: *const *const c_void, outputs: *const *mut c_void, arena: *mut u8) -> i32;
@RESET_SYMBOL@}

/// Run it on whole inputs, channels last.
pub fn run(@INPUTS@, @OUTPUTS@, arena: &mut Arena) -> Result<(), Error> {
    let inputs = [@INPUT_POINTERS@];
    let outputs = [@OUTPUT_POINTERS@];
    // SAFETY: every array has the length that the network reads or writes, and the arena is its own.
    checked(unsafe { ev_model_run(inputs.as_ptr(), outputs.as_ptr(), arena.0.as_mut_ptr()) })
}
@STREAM@
