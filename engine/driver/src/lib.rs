//! io_uring and portable back ends behind one interface.
