use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use super::{Answer, Call};

/// An upstream that says of each call whose it is, and answers it as it is told.
pub(super) async fn serve(listener: TcpListener, arrived: mpsc::UnboundedSender<(usize, Call)>) {
    loop {
        let (socket, _) = listener.accept().await.expect("accepts");
        tokio::spawn(converse(socket, arrived.clone()));
    }
}

async fn converse(mut socket: TcpStream, arrived: mpsc::UnboundedSender<(usize, Call)>) -> std::io::Result<()> {
    for served in 0_u32.. {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if socket.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let head = String::from_utf8(head).expect("a text");
        let value = |name| head.lines().find_map(|line| line.strip_prefix(name)).expect("a header");
        let (who, client) = (value("authorization: "), value("x-client-request-id: ").parse().expect("a number"));
        let path = head.split(' ').nth(1).expect("a path");
        let digit = |text: &str| text.as_bytes()[text.len() - 1] - b'0';
        let (asked, is_get) = ((digit(who), digit(path)), head.starts_with("GET "));
        let (answer, told) = oneshot::channel();
        let (maker, joined, is_reused) = (Some(client), Vec::new(), served > 0);
        let call = Call { asked, is_get, maker, joined, is_open: false, is_reused, answer };
        arrived.send((client, call)).expect("the test goes on");
        let Ok(told) = told.await else { return Ok(()) };
        let (status, length) = match told {
            Answer::Whole { status, length } => (status, length),
            Answer::HalfOfIt => (200, 10),
            Answer::Closed => return Ok(()),
        };
        let body = format!("{who} {path} {status} {}.", "x".repeat(length));
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if told == Answer::HalfOfIt {
            return socket.write_all(&answer.as_bytes()[..answer.len() - body.len() / 2]).await;
        }
        socket.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}
